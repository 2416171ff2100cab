// This file reads times as people say them. Pure: the clock and the time zone are given.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.hpp"

namespace flowtally::query {

/// The host's time zone: seconds east of UTC at a moment, which is in nanoseconds since 1970-01-01 UTC.
using ZoneOffset = std::function<std::int64_t(std::int64_t unix_ns)>;
/// As the C library has it (TZ, /etc/localtime). Any thread.
[[nodiscard]] ZoneOffset local_zone();

/// A moment, in nanoseconds since 1970-01-01 UTC:
///   - "90s", "15m", "2h", "3d", "1w": so long before `now_ns`
///   - "now", "today", "yesterday": midnight, local time
///   - "03:12", "03:12:30": the last time that the clock showed that
///   - "2026-11-23", "2026-11-23 03:12", "2026-11-23 03:12:30.5": local time
///   - RFC 3339 with its offset
/// kInvalidArgument: the text says what is allowed.
[[nodiscard]] base::Result<std::int64_t> parse_moment(std::string_view text, std::int64_t now_ns,
                                                      const ZoneOffset& zone);

}  // namespace flowtally::query
