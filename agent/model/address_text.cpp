#include "model/address_text.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace flowtally::model {
namespace {

constexpr std::size_t kIpv6Bytes = 16;

constexpr bool is_digit(char character) noexcept { return character >= '0' && character <= '9'; }

/// Takes a decimal number without leading zeros from the front of `text`.
std::optional<unsigned> take_number(std::string_view& text, unsigned highest) noexcept {
  std::size_t digits = 0;
  unsigned number = 0;
  while (digits < text.size() && is_digit(text[digits])) {
    number = number * 10 + static_cast<unsigned>(text[digits] - '0');
    if (number > highest) return std::nullopt;
    ++digits;
  }
  if (digits == 0 || (digits > 1 && text.front() == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, char expected) noexcept {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

bool parse_ipv4(std::string_view text, std::uint8_t* to) noexcept {
  for (int index = 0; index < 4; ++index) {
    if (index > 0 && !take(text, '.')) return false;
    const auto octet = take_number(text, 255);
    if (!octet) return false;
    to[index] = static_cast<std::uint8_t>(*octet);
  }
  return text.empty();
}

/// Takes one to four hexadecimal digits.
std::optional<unsigned> take_group(std::string_view& text) noexcept {
  unsigned group = 0;
  const char* const begin = text.data();
  const char* const end = begin + std::min<std::size_t>(text.size(), 4);
  const auto [stop, error] = std::from_chars(begin, end, group, 16);
  if (error != std::errc{}) return std::nullopt;  // no digit; a sign is none for an unsigned number
  text.remove_prefix(static_cast<std::size_t>(stop - begin));
  return group;
}

bool parse_ipv6(std::string_view text, std::array<std::uint8_t, kIpv6Bytes>& bytes) noexcept {
  std::size_t filled = 0;
  std::size_t gap = kIpv6Bytes + 1;  // where "::" stands; beyond the end: nowhere
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty() && filled < kIpv6Bytes) {
    // The last four bytes may be written as an IPv4 address.
    if (text.find(':') == std::string_view::npos && text.find('.') != std::string_view::npos) {
      if (filled > kIpv6Bytes - 4 || !parse_ipv4(text, &bytes[filled])) return false;
      filled += 4;
      text = {};
      break;
    }
    const auto group = take_group(text);
    if (!group) return false;
    bytes[filled++] = static_cast<std::uint8_t>(*group >> 8U);
    bytes[filled++] = static_cast<std::uint8_t>(*group & 0xFFU);
    if (text.empty()) break;
    if (!take(text, ':') || text.empty()) return false;
    if (take(text, ':')) {
      if (gap <= kIpv6Bytes) return false;
      gap = filled;
    }
  }
  if (!text.empty()) return false;
  if (gap > kIpv6Bytes) return filled == kIpv6Bytes;
  if (filled == kIpv6Bytes) return false;  // "::" stands for at least one group
  std::rotate(bytes.begin() + static_cast<std::ptrdiff_t>(gap),
              bytes.begin() + static_cast<std::ptrdiff_t>(filled), bytes.end());
  return true;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) noexcept {
  Address address;
  if (text.find(':') == std::string_view::npos) {
    address.family = Address::Family::kV4;
    if (!parse_ipv4(text, address.bytes.data())) return std::nullopt;
  } else {
    address.family = Address::Family::kV6;
    if (!parse_ipv6(text, address.bytes)) return std::nullopt;
  }
  return address;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) noexcept {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = parse_address(host);
  if (!address || bracketed != (address->family == Address::Family::kV6)) return std::nullopt;
  std::string_view port_text = text.substr(colon + 1);
  const auto port = take_number(port_text, 65535);
  if (!port || !port_text.empty()) return std::nullopt;
  return Endpoint{.address = *address, .port = static_cast<std::uint16_t>(*port)};
}

std::optional<Prefix> parse_prefix(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  const unsigned bits_max = address->family == Address::Family::kV4 ? 32 : 128;
  unsigned bits = bits_max;
  if (slash != std::string_view::npos) {
    std::string_view bits_text = text.substr(slash + 1);
    const auto given = take_number(bits_text, bits_max);
    if (!given || !bits_text.empty()) return std::nullopt;
    bits = *given;
  }
  return Prefix::of(*address, static_cast<std::uint8_t>(bits));
}

}  // namespace flowtally::model
