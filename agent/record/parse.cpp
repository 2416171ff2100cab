#include "record/parse.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>

namespace flowtally::record {
namespace {

using model::Address;

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
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

/// Takes exactly `digits` digits.
std::optional<unsigned> take_digits(std::string_view& text, std::size_t digits) noexcept {
  if (text.size() < digits ||
      !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(digits), is_digit)) {
    return std::nullopt;
  }
  unsigned number = 0;
  for (const char digit : text.substr(0, digits)) number = number * 10 + static_cast<unsigned>(digit - '0');
  text.remove_prefix(digits);
  return number;
}

/// Days since 1970-01-01 of YYYY-MM-DD.
std::optional<std::int64_t> take_date(std::string_view& text) noexcept {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day)};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days{date}.time_since_epoch().count();
}

/// Minutes of HH:MM.
std::optional<std::int64_t> take_hour_minute(std::string_view& text) noexcept {
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  return std::int64_t{*hour} * 60 + *minute;
}

/// Nanoseconds of ".123"; 0 where there is no fraction.
std::optional<std::int64_t> take_fraction(std::string_view& text) noexcept {
  if (!take(text, '.')) return 0;
  const auto digits = static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
  if (digits == 0 || digits > 9) return std::nullopt;
  const auto number = take_digits(text, digits);
  if (!number) return std::nullopt;
  std::int64_t fraction = *number;
  for (std::size_t digit = digits; digit < 9; ++digit) fraction *= 10;
  return fraction;
}

/// Seconds east of UTC of 'Z' or of an offset.
std::optional<std::int64_t> take_zone(std::string_view& text) noexcept {
  if (take(text, 'Z')) return 0;
  const bool west = take(text, '-');
  if (!west && !take(text, '+')) return std::nullopt;
  const auto minutes = take_hour_minute(text);
  if (!minutes) return std::nullopt;
  return (west ? -*minutes : *minutes) * 60;
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

std::optional<model::Endpoint> parse_endpoint(std::string_view text) noexcept {
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
  return model::Endpoint{.address = *address, .port = static_cast<std::uint16_t>(*port)};
}

std::optional<std::int64_t> parse_time(std::string_view text) noexcept {
  const auto days = take_date(text);
  if (!days || !take(text, 'T')) return std::nullopt;
  const auto minutes = take_hour_minute(text);
  if (!minutes || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *second > 59) return std::nullopt;
  const auto fraction = take_fraction(text);
  if (!fraction) return std::nullopt;
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;

  std::int64_t seconds = (*days * 1440 + *minutes) * 60 + *second - *zone;
  std::int64_t rest = *fraction;
  if (seconds < 0) {  // counted towards zero, so that the lowest value is reached without passing it
    ++seconds;
    rest -= kNsPerSecond;
  }
  std::int64_t result = 0;
  if (__builtin_mul_overflow(seconds, kNsPerSecond, &result)) return std::nullopt;
  if (__builtin_add_overflow(result, rest, &result)) return std::nullopt;
  return result;
}

}  // namespace flowtally::record
