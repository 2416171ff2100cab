// This file reads the range of time that a listing of logs is asked for, as Tailscale's clients write it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "api/request.hpp"
#include "base/result.hpp"

namespace flowtally::api {

/// [start, end), wall clock.
struct TimeRange {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;

  friend bool operator==(const TimeRange&, const TimeRange&) = default;
};

/// RFC 3339 with any offset and up to nine digits of fraction. An offset whose '+' came as a space, because
/// it was not escaped in the address, is taken as well.
[[nodiscard]] std::optional<std::int64_t> parse_instant(std::string_view text);

/// From the parameters `start` and `end`, both needed. kInvalidArgument: says which is missing or wrong, or
/// that the end is before the start. An end that is the start is an empty range.
[[nodiscard]] base::Result<TimeRange> parse_range(const Parameters& parameters);

}  // namespace flowtally::api
