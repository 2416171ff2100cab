#include "api/logged.hpp"

#include "record/parse.hpp"
#include "record/text.hpp"

namespace flowtally::api {
namespace {

constexpr std::string_view kLogged = "\"logged\":\"";
constexpr std::string_view kEnd = "\"end\":\"";

/// What stands before the first list or object: in a line of ours the plain fields, some hundred bytes of up
/// to 256 KiB. The field is found as text, because inside of a JSON string its quotes would be escaped.
std::string_view head_of(std::string_view line) {
  return line.empty() ? line : line.substr(0, line.find_first_of("[{", 1));
}

std::optional<std::int64_t> time_behind(std::string_view head, std::string_view name) {
  const std::size_t at = head.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  head.remove_prefix(at + name.size());
  return record::parse_time(head.substr(0, head.find('"')));
}

}  // namespace

std::optional<std::int64_t> logged_at(std::string_view line) {
  const std::string_view head = head_of(line);
  if (const auto logged = time_behind(head, kLogged)) return logged;
  return time_behind(head, kEnd);
}

void OutgoingLine::add_to(Pieces& pieces, std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  const std::string_view head = head_of(line);
  const auto end = head.find(kLogged) == std::string_view::npos ? time_behind(head, kEnd) : std::nullopt;
  if (end) {
    head_ = "{\"logged\":\"" + record::time_text(*end) + "\",";
    pieces.add(head_);
    line.remove_prefix(1);
  }
  pieces.add(line);
}

}  // namespace flowtally::api
