// This file reads the times that text.hpp writes (addresses: model/address_text.hpp). Strict, because what is
// read comes from disk, network or user: the whole text has to match. None where it does not; the caller says
// of what.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace flowtally::record {

/// RFC 3339 with 'T' and 'Z' (or an offset), up to nine fraction digits, no leap second. Nanoseconds since
/// 1970-01-01 UTC; none outside the years 1677 to 2262, which 64 bits do not hold.
[[nodiscard]] std::optional<std::int64_t> parse_time(std::string_view text) noexcept;

}  // namespace flowtally::record
