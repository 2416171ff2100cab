#include "api/logged.hpp"

#include "record/parse.hpp"
#include "record/text.hpp"

namespace flowtally::api {
namespace {

constexpr std::string_view kLogged = "\"logged\":\"";
constexpr std::string_view kEnd = "\"end\":\"";

std::optional<std::int64_t> time_behind(std::string_view line, std::string_view name) {
  // At the front as a rule; find() passes over the brace at once then.
  const std::size_t at = line.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + name.size());
  return record::parse_time(line.substr(0, line.find('"')));
}

}  // namespace

std::optional<std::int64_t> logged_at(std::string_view line) {
  if (const auto logged = time_behind(line, kLogged)) return logged;
  return time_behind(line, kEnd);
}

void OutgoingLine::add_to(Pieces& pieces, std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.size() < 2 || line.find(kLogged) != std::string_view::npos) {
    pieces.add(line);
    return;
  }
  const auto end = time_behind(line, kEnd);
  if (!end) {
    pieces.add(line);
    return;
  }
  head_ = "{\"logged\":\"" + record::time_text(*end) + "\",";
  pieces.add(head_);
  pieces.add(line.substr(1));
}

}  // namespace flowtally::api
