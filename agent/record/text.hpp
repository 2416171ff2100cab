// This file writes values as text: numbers, addresses, times, JSON strings. Everything here is on the way of
// every flow of every window, so it writes into the caller's buffer, without heap, locale or libc. Addresses
// read as Go's net/netip prints them and times as Go's RFC3339Nano does, because Tailscale's records are made
// with these.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/address.hpp"

namespace flowtally::record {

/// Room that each put_*() wants at `to`: up to so many bytes may be written, even where the text turns out
/// shorter.
inline constexpr std::size_t kNumberBytesMax = 20;                          // 18446744073709551615
inline constexpr std::size_t kAddressBytesMax = 39;                         // eight groups of four digits
inline constexpr std::size_t kEndpointBytesMax = kAddressBytesMax + 2 + 6;  // [address]:65535
inline constexpr std::size_t kTimeBytesMax = 30;                            // 2026-11-22T23:29:06.069684043Z

/// Decimal digits of `number`.
[[nodiscard]] constexpr unsigned decimal_digits(std::uint64_t number) noexcept {
  constexpr std::uint64_t kPowers[] = {1ULL,
                                       10ULL,
                                       100ULL,
                                       1000ULL,
                                       10000ULL,
                                       100000ULL,
                                       1000000ULL,
                                       10000000ULL,
                                       100000000ULL,
                                       1000000000ULL,
                                       10000000000ULL,
                                       100000000000ULL,
                                       1000000000000ULL,
                                       10000000000000ULL,
                                       100000000000000ULL,
                                       1000000000000000ULL,
                                       10000000000000000ULL,
                                       100000000000000000ULL,
                                       1000000000000000000ULL,
                                       10000000000000000000ULL};
  const std::uint64_t odd = number | 1U;  // 0 has one digit, and no other number gets another count by this
  // 1233 / 4096 is log10(2), near enough for 64 bits: at most one digit too few, which the comparison adds.
  const unsigned fewest = static_cast<unsigned>(std::bit_width(odd)) * 1233U >> 12U;
  return fewest + (odd >= kPowers[fewest] ? 1U : 0U);
}

/// Each writes at `to`, where there must be as much room as the constant above says, and returns the end of
/// the text.
[[nodiscard]] char* put_number(std::uint64_t number, char* to) noexcept;
/// RFC 5952, lower case, IPv4-mapped as ::ffff:1.2.3.4. Nothing for an address that is none.
[[nodiscard]] char* put_address(const model::Address& address, char* to) noexcept;
/// 1.2.3.4:80 or [2001:db8::1]:80. Nothing where the address is none, whatever the port.
[[nodiscard]] char* put_endpoint(const model::Endpoint& endpoint, char* to) noexcept;
/// RFC 3339 in UTC with 'Z', nanoseconds without trailing zeros. Every value has a text: the years are 1677
/// to 2262.
[[nodiscard]] char* put_time(std::int64_t unix_ns, char* to) noexcept;

/// Bytes that put_endpoint() makes, without making them where that is slower.
[[nodiscard]] std::size_t endpoint_bytes(const model::Endpoint& endpoint) noexcept;

/// Appends `text` as a JSON string with its quotes, escaped as Go's encoding/json does without its HTML mode:
/// control characters, '"', '\' and the line separators U+2028 and U+2029. Every byte that is not part of
/// valid UTF-8 becomes
/// \ufffd, so that the line is valid JSON whatever comes in.
void append_json_string(std::string_view text, std::string& out);

/// The text as a string, for messages and tests.
[[nodiscard]] std::string to_text(const model::Address& address);
[[nodiscard]] std::string to_text(const model::Endpoint& endpoint);
[[nodiscard]] std::string time_text(std::int64_t unix_ns);

}  // namespace flowtally::record
