// This file is where time enters: windows are measured on the boot clock (it runs through suspend and is
// never set), records are stamped with the wall clock.
#pragma once

#include <cstdint>

namespace flowtally::base {

/// One instant on both clocks, in nanoseconds: since boot (CLOCK_BOOTTIME) and since 1970-01-01 UTC
/// (CLOCK_REALTIME).
struct Moment {
  std::int64_t boot_ns = 0;
  std::int64_t wall_ns = 0;

  friend bool operator==(const Moment&, const Moment&) = default;
};

/// Reads both clocks, one right after the other.
[[nodiscard]] Moment now() noexcept;

}  // namespace flowtally::base
