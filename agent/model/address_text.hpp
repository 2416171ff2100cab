// This file reads the texts of addresses, as they come from records, from tailscaled and from people. Strict,
// because what is read is untrusted: the whole text has to match. None where it does not; the caller says of
// what.
#pragma once

#include <optional>
#include <string_view>

#include "model/address.hpp"

namespace flowtally::model {

/// Dotted IPv4 (four numbers without leading zeros) or IPv6 in any form of RFC 4291, 2.2, without a zone. An
/// IPv4-mapped address stays IPv6, as in Go's netip.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text) noexcept;

/// 1.2.3.4:80 or [2001:db8::1]:80; the port is a number up to 65535 without leading zeros.
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view text) noexcept;

/// 10.0.0.0/8 or fd00::/8; an address alone is the prefix of that one address. Bits behind the length are
/// cleared.
[[nodiscard]] std::optional<Prefix> parse_prefix(std::string_view text) noexcept;

}  // namespace flowtally::model
