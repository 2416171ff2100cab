#include "sink/syslog_message.hpp"

#include <algorithm>
#include <ctime>
#include <string_view>

#include <fmt/format.h>

namespace flowtally::sink {
namespace {

constexpr int kFacilities = 8;
constexpr int kSeverityInfo = 6;
// RFC 5424, section 6.
constexpr std::size_t kHostBytesMax = 255;
constexpr std::size_t kAppBytesMax = 48;

/// As the fields of a header are: printable ASCII without spaces, or "-".
std::string header_field(std::string_view text, std::size_t bytes_max) {
  std::string out(text.substr(0, bytes_max));
  std::ranges::replace_if(out, [](char c) { return c < '!' || c > '~'; }, '_');
  return out.empty() ? "-" : out;
}

/// In the value of a parameter of structured data.
void append_escaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == ']') out += '\\';
    out += c;
  }
}

/// Floor, so that times before 1970 are right too.
std::string time_text(std::int64_t time_ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  constexpr std::int64_t kMicrosecond = 1000;
  std::int64_t seconds = time_ns / kSecond;
  if (time_ns % kSecond < 0) --seconds;
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     (time_ns - seconds * kSecond) / kMicrosecond);
}

}  // namespace

SyslogForm::SyslogForm(const model::SyslogSettings& settings, model::LogType log_type)
    : priority_(fmt::format("<{}>1 ", settings.facility * kFacilities + kSeverityInfo)),
      source_(fmt::format(" {} {} - {} ", header_field(settings.host_name, kHostBytesMax),
                          header_field(settings.app_name, kAppBytesMax), model::log_type_name(log_type))),
      octet_counting_(settings.octet_counting),
      bytes_max_(settings.message_bytes_max) {}

bool SyslogForm::append(const Batch& batch, const Item& item, std::string& out) const {
  std::string head = priority_ + time_text(item.time_ns) + source_;
  head += fmt::format("[flowtally@32473 id=\"{}\" sequence=\"{}\"", item_id(batch, item), item.sequence);
  if (!batch.node_id.empty()) {
    head += " node=\"";
    append_escaped(batch.node_id, head);
    head += '"';
  }
  head += "] ";
  const std::string_view text = batch.text_of(item);
  const std::size_t bytes = head.size() + text.size();
  if (bytes > bytes_max_) return false;
  if (octet_counting_) out += fmt::format("{} ", bytes);
  out += head;
  out += text;
  if (!octet_counting_) out += '\n';
  return true;
}

}  // namespace flowtally::sink
