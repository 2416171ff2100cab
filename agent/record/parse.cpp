#include "record/parse.hpp"

#include <algorithm>
#include <chrono>

namespace flowtally::record {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

constexpr bool is_digit(char character) noexcept { return character >= '0' && character <= '9'; }

bool take(std::string_view& text, char expected) noexcept {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
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
