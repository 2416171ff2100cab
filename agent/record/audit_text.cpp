#include "record/audit_text.hpp"

#include <iterator>

#include <fmt/format.h>

#include "record/parse.hpp"
#include "record/text.hpp"

namespace flowtally::record {
namespace {

void add_text(std::string_view name, std::string_view text, std::string& out) {
  if (text.empty()) return;
  if (out.back() != '{') out += ',';
  out += '"';
  out += name;
  out += "\":";
  append_json_string(text.substr(0, kAuditTextBytesMax), out);
}

void add_json(std::string_view name, const std::string& json, std::string& out) {
  if (json.empty()) return;
  if (json.size() > kAuditTextBytesMax) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":{{\"truncated\":{}}}", name, json.size());
  } else {
    fmt::format_to(std::back_inserter(out), ",\"{}\":{}", name, json);
  }
}

}  // namespace

void append_audit_event(const model::AuditEvent& event, std::int64_t logged_ns, std::string& out) {
  fmt::format_to(std::back_inserter(out), R"({{"logged":"{}","eventTime":"{}","type":"CONFIG",)",
                 time_text(logged_ns), time_text(event.time_ns));
  out += R"("deferredAt":"0001-01-01T00:00:00Z")";
  add_text("eventGroupID", event.group_id, out);
  add_text("origin", event.origin, out);
  out += ",\"actor\":{";
  add_text("id", event.actor.id, out);
  add_text("type", event.actor.type, out);
  add_text("loginName", event.actor.login_name, out);
  add_text("displayName", event.actor.display_name, out);
  out += "},\"target\":{";
  add_text("id", event.target.id, out);
  add_text("name", event.target.name, out);
  add_text("type", event.target.type, out);
  add_text("property", event.target.property, out);
  out += '}';
  add_text("action", event.action, out);
  add_json("old", event.old_json, out);
  add_json("new", event.new_json, out);
  add_text("actionDetails", event.details, out);
  add_text("error", event.error, out);
  out += "}\n";
}

std::optional<std::int64_t> audit_logged(std::string_view line) {
  constexpr std::string_view kBegin = R"({"logged":")";
  if (!line.starts_with(kBegin)) return std::nullopt;
  line.remove_prefix(kBegin.size());
  return parse_time(line.substr(0, line.find('"')));
}

}  // namespace flowtally::record
