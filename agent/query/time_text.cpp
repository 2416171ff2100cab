#include "query/time_text.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "record/parse.hpp"

namespace flowtally::query {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDay = 86'400 * kSecond;
/// Further back nothing was recorded, and sums stay far from the ends of 64 bits.
constexpr std::int64_t kAgeMax = std::int64_t{100} * 365 * kDay;

std::optional<std::int64_t> parse_age(std::string_view text) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(parsed.ptr, static_cast<std::size_t>(text.data() + text.size() - parsed.ptr));
  if (parsed.ec != std::errc{} || number < 0 || unit.size() != 1) return std::nullopt;
  std::int64_t length = 0;
  switch (unit.front()) {
    case 's': length = kSecond; break;
    case 'm': length = 60 * kSecond; break;
    case 'h': length = 3600 * kSecond; break;
    case 'd': length = kDay; break;
    case 'w': length = 7 * kDay; break;
    default: return std::nullopt;
  }
  if (number > kAgeMax / length) return std::nullopt;
  return number * length;
}

/// A moment by local clocks. Where they show it twice, or never, one hour is taken for the other.
std::int64_t to_utc(std::int64_t local_ns, const ZoneOffset& zone) {
  const std::int64_t guess = local_ns - zone(local_ns) * kSecond;
  return local_ns - zone(guess) * kSecond;
}

/// "03:12", "03:12:30", "03:12:30.5" as nanoseconds since midnight: by the parser of RFC 3339.
std::optional<std::int64_t> parse_time_of_day(std::string_view text) {
  const std::string seconds = text.size() == 5 ? ":00" : "";
  return record::parse_time(fmt::format("1970-01-01T{}{}Z", text, seconds));
}

std::int64_t midnight(std::int64_t now_ns, const ZoneOffset& zone) {
  const std::int64_t local = now_ns + zone(now_ns) * kSecond;
  const std::int64_t day = local - ((local % kDay) + kDay) % kDay;
  return day;
}

}  // namespace

ZoneOffset local_zone() {
  // Once: the zone of a process does not change, and every call would free what another thread reads.
  [[maybe_unused]] static const bool kKnown = (::tzset(), true);
  return [](std::int64_t unix_ns) {
    const std::time_t seconds = unix_ns / kSecond;
    std::tm local{};
    return ::localtime_r(&seconds, &local) != nullptr ? std::int64_t{local.tm_gmtoff} : std::int64_t{0};
  };
}

base::Result<std::int64_t> parse_moment(std::string_view text, std::int64_t now_ns, const ZoneOffset& zone) {
  if (text == "now") return now_ns;
  if (text == "today") return to_utc(midnight(now_ns, zone), zone);
  if (text == "yesterday") return to_utc(midnight(now_ns, zone) - kDay, zone);
  if (const auto age = parse_age(text)) return now_ns - *age;
  if (const auto time = record::parse_time(text)) return *time;
  if (const auto time_of_day = parse_time_of_day(text)) {
    const std::int64_t today = to_utc(midnight(now_ns, zone) + *time_of_day, zone);
    return today <= now_ns ? today : to_utc(midnight(now_ns, zone) - kDay + *time_of_day, zone);
  }
  constexpr std::size_t kDateBytes = 10;  // 2026-11-23
  if (text.size() >= kDateBytes) {
    const std::string_view rest = text.substr(kDateBytes);
    const auto date = record::parse_time(fmt::format("{}T00:00:00Z", text.substr(0, kDateBytes)));
    const auto time_of_day = rest.empty()                                 ? std::optional<std::int64_t>(0)
                             : rest.front() == ' ' || rest.front() == 'T' ? parse_time_of_day(rest.substr(1))
                                                                          : std::nullopt;
    if (date && time_of_day) return to_utc(*date + *time_of_day, zone);
  }
  return base::fail(
      base::Error(base::ErrorCode::kInvalidArgument, fmt::format("`{}` is no time", text))
          .advise("Write 90s, 15m, 2h, 3d, today, yesterday, 03:12, 2026-11-23, \"2026-11-23 03:12\" "
                  "or 2026-11-23T03:12:00Z"));
}

}  // namespace flowtally::query
