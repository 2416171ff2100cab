#include "cli/event_stream.hpp"

#include <utility>

namespace flowtally::cli {

EventStream::EventStream(std::function<bool(const Event&)> event) : event_(std::move(event)) {}

bool EventStream::feed(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    if (part.size() > kEventLineBytesMax - line_.size()) {
      too_long_ = true;
      return false;
    }
    line_ += part;
    if (end == std::string_view::npos) return true;
    piece.remove_prefix(end + 1);
    if (line_.ends_with('\r')) line_.pop_back();
    const bool more = take_line(line_);
    line_.clear();
    if (!more) return false;
  }
  return true;
}

bool EventStream::take_line(std::string_view line) {
  if (line.empty()) {
    const bool more = !has_data_ || event_(now_);
    now_.type.clear();
    now_.data.clear();
    has_data_ = false;
    return more;
  }
  const std::size_t colon = line.find(':');
  if (colon == 0) return true;  // a comment
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") {
    now_.type = value;
  } else if (field == "id") {
    now_.id = value;
  } else if (field == "data") {
    if (std::exchange(has_data_, true)) now_.data += '\n';
    if (value.size() > kEventLineBytesMax - std::min(now_.data.size(), kEventLineBytesMax)) {
      too_long_ = true;
      return false;
    }
    now_.data += value;
  }
  return true;
}

}  // namespace flowtally::cli
