#include "sink/hec_event.hpp"

#include <iterator>

#include <fmt/format.h>

#include "record/text.hpp"

namespace flowtally::sink {
namespace {

void add(std::string_view name, std::string_view value, std::string& out) {
  if (value.empty()) return;
  out += '"';
  out += name;
  out += "\":";
  record::append_json_string(value, out);
  out += ',';
}

}  // namespace

std::string hec_members(const model::SplunkSettings& settings, model::LogType log_type) {
  // Named so that one props.conf serves all: scripts/deploy/splunk.
  const std::string sourcetype = settings.sourcetype.empty()
                                     ? fmt::format("tailscale:{}", model::log_type_name(log_type))
                                     : settings.sourcetype;
  std::string out;
  add("host", settings.host, out);
  add("source", settings.source.empty() ? "flowtally" : settings.source, out);
  add("sourcetype", sourcetype, out);
  add("index", settings.index, out);
  return out;
}

void append_hec_event(const Batch& batch, const Item& item, std::string_view members, std::string& out) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  fmt::format_to(std::back_inserter(out), "{{\"time\":{}.{:09},", item.time_ns / kSecond,
                 item.time_ns % kSecond);
  out += members;
  out += "\"event\":";
  out += batch.text_of(item);
  if (item.logged_ns != 0) {
    char text[record::kTimeBytesMax];
    out += ",\"fields\":{\"recorded\":\"";
    out.append(text, record::put_time(item.logged_ns, text));
    out += "\"}";
  }
  out += '}';
}

}  // namespace flowtally::sink
