// This file takes server-sent events apart as they come (HTML Living Standard, 9.2.6), as far as the agent
// uses them.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace flowtally::cli {

/// The longest line of an event: a record has 1 MiB at the most.
inline constexpr std::size_t kEventLineBytesMax = std::size_t{2} << 20U;

struct Event {
  std::string type{};  ///< empty: a message
  std::string id{};    ///< of it, or of the last one that had one
  std::string data{};  ///< lines with line ends between
};

/// Not thread-safe.
class EventStream {
 public:
  /// `event` false: no more.
  explicit EventStream(std::function<bool(const Event&)> event);

  /// False: `event` said so, or a line is too long.
  [[nodiscard]] bool feed(std::string_view piece);
  [[nodiscard]] bool too_long() const noexcept { return too_long_; }

 private:
  [[nodiscard]] bool take_line(std::string_view line);

  std::function<bool(const Event&)> event_;
  std::string line_;
  Event now_;
  bool has_data_ = false;
  bool too_long_ = false;
};

}  // namespace flowtally::cli
