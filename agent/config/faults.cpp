#include "config/faults.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace flowtally::config {

base::Error Refusal::error() const {
  return {base::ErrorCode::kInvalidArgument, fmt::format("{}", fmt::join(lines, "\n"))};
}

void Faults::add(const Place& at, std::string_view path, std::string_view what) {
  if (count_++ >= kFaultsMax) return;
  faults_.push_back({.at = at, .text = path.empty() ? std::string(what) : fmt::format("{}: {}", path, what)});
}

void Faults::add_whole(std::size_t file, std::string line) {
  if (count_++ >= kFaultsMax) return;
  faults_.push_back({.at = {.file = file}, .text = std::move(line), .whole = true});
}

Refusal Faults::refusal(const std::vector<std::string>& files) const {
  std::vector<const Fault*> ordered;
  ordered.reserve(faults_.size());
  for (const Fault& fault : faults_) ordered.push_back(&fault);
  // Those of one place stay in the order in which they were found.
  std::ranges::sort(ordered, {}, [](const Fault* fault) { return std::pair(fault->at, fault); });
  Refusal refusal;
  for (const Fault* const fault : ordered) {
    if (fault->whole) {
      refusal.lines.push_back(fault->text);
    } else if (fault->at.line == 0) {
      refusal.lines.push_back(fmt::format("{}: {}", files[fault->at.file], fault->text));
    } else {
      refusal.lines.push_back(
          fmt::format("{}:{}: {}", place_text(fault->at, files), fault->at.column, fault->text));
    }
  }
  if (count_ > faults_.size())
    refusal.lines.push_back(fmt::format("and {} more that are not shown", count_ - faults_.size()));
  return refusal;
}

std::string place_text(const Place& at, const std::vector<std::string>& files) {
  return fmt::format("{}:{}", files[at.file], at.line);
}

std::string shown(std::string_view text) {
  std::string out(text.substr(0, kShownBytesMax));
  std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  if (out.size() < text.size()) {
    // A character is not cut in two.
    std::size_t end = out.size();
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
    out.resize(end);
    out += "…";
  }
  return out;
}

std::string in_quotes(std::string_view text) { return fmt::format("\"{}\"", shown(text)); }

}  // namespace flowtally::config
