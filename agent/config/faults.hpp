// This file collects what is wrong with a configuration, with its places, so that all of it can be told at
// once and in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace flowtally::config {

/// More faults than this are counted, not told.
inline constexpr std::size_t kFaultsMax = 50;
/// As much of somebody's word is shown.
inline constexpr std::size_t kShownBytesMax = 64;

/// Where something stands: the number of its file, line and column from 1. Line 0: the file as a whole.
struct Place {
  std::size_t file = 0;
  int line = 0;
  int column = 0;

  friend auto operator<=>(const Place&, const Place&) = default;
};

/// What a configuration was refused for: a line for each fault, "FILE:LINE:COLUMN: KEY: what".
struct Refusal {
  std::vector<std::string> lines{};

  /// All of them as one error, for whoever takes only one.
  [[nodiscard]] base::Error error() const;
};

class Faults {
 public:
  void add(const Place& at, std::string_view path, std::string_view what);
  /// One that has its place in it already.
  void add_whole(std::size_t file, std::string line);

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  /// In the order of their places. `files` are the names.
  [[nodiscard]] Refusal refusal(const std::vector<std::string>& files) const;

 private:
  struct Fault {
    Place at{};
    std::string text{};
    bool whole = false;
  };
  std::vector<Fault> faults_{};
  std::size_t count_ = 0;
};

/// "FILE:LINE"
[[nodiscard]] std::string place_text(const Place& at, const std::vector<std::string>& files);

/// Somebody's word for a message: in quotation marks, on one line, cut where it is long.
[[nodiscard]] std::string in_quotes(std::string_view text);
/// The same without quotation marks, for keys.
[[nodiscard]] std::string shown(std::string_view text);

}  // namespace flowtally::config
