// This file reads the texts that text.hpp writes: addresses, endpoints, times. Strict, because what is read
// comes from disk, network or user: the whole text has to match. None where it does not; the caller says of
// what.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/address.hpp"

namespace flowtally::record {

/// Dotted IPv4 (four numbers without leading zeros) or IPv6 in any form of RFC 4291, 2.2, without a zone. An
/// IPv4-mapped address stays IPv6, as in Go's netip.
[[nodiscard]] std::optional<model::Address> parse_address(std::string_view text) noexcept;

/// 1.2.3.4:80 or [2001:db8::1]:80; the port is a number up to 65535 without leading zeros.
[[nodiscard]] std::optional<model::Endpoint> parse_endpoint(std::string_view text) noexcept;

/// RFC 3339 with 'T' and 'Z' (or an offset), up to nine fraction digits, no leap second. Nanoseconds since
/// 1970-01-01 UTC; none outside the years 1677 to 2262, which 64 bits do not hold.
[[nodiscard]] std::optional<std::int64_t> parse_time(std::string_view text) noexcept;

}  // namespace flowtally::record
