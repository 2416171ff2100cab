// This file decides how large a generation's maps are: memory follows the traffic, within --max-flows. Pure
// arithmetic.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace flowtally::capture {

inline constexpr std::uint32_t kFlowsMin =
    1024;  ///< smallest table; about 330 KiB for both families of a generation at 2 CPUs
inline constexpr std::uint32_t kCoarseEntries = 4096;  ///< coarse entries of a generation, fixed
inline constexpr std::uint32_t kShrinkAfterWindows =
    12;  ///< windows that must be small in a row before a table shrinks

/// Entries at which a program signals pressure: three quarters of the capacity.
[[nodiscard]] constexpr std::uint32_t pressure_mark(std::uint32_t capacity) noexcept {
  return capacity - capacity / 4;
}

/// The size of one table over time. Not thread-safe.
class Sizing {
 public:
  /// `flows_max`: the most entries a table may have, at least 1.
  explicit Sizing(std::uint32_t flows_max) noexcept
      : flows_max_(flows_max), capacity_(std::min(kFlowsMin, flows_max)) {}

  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
  /// Goes on from a table that is there already.
  void start_from(std::uint32_t capacity) noexcept { capacity_ = std::max(capacity_, capacity); }

  /// Takes what a drained window held (`used` entries; `refused` inserts found no room) and gives the
  /// capacity that the next generation should have: at least twice what was used, eight times after a
  /// refusal, a power of two or flows_max. It shrinks after kShrinkAfterWindows small windows in a row, to
  /// what the largest of them needed.
  std::uint32_t after_window(std::uint32_t used, std::uint64_t refused) noexcept {
    const std::uint64_t wanted = std::max<std::uint64_t>(
        {kFlowsMin, std::bit_ceil(std::uint64_t{used} * 2), refused > 0 ? std::uint64_t{capacity_} * 8 : 0});
    const auto target = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, flows_max_));
    const bool small =
        std::uint64_t{target} * 2 <= capacity_;  // less than one step down is not worth a new table
    small_windows_ = small ? small_windows_ + 1 : 0;
    small_target_ = small ? std::max(small_target_, target) : 0;
    if (target >= capacity_) capacity_ = target;
    if (small_windows_ >= kShrinkAfterWindows) {
      capacity_ = small_target_;
      small_windows_ = 0;
      small_target_ = 0;
    }
    return capacity_;
  }

 private:
  std::uint32_t flows_max_;
  std::uint32_t capacity_;
  std::uint32_t small_windows_ = 0;  ///< in a row
  std::uint32_t small_target_ = 0;   ///< the most that one of them asked for
};

}  // namespace flowtally::capture
