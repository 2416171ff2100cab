#include "cli/human.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "record/text.hpp"

namespace flowtally::cli {
namespace {

/// A thousand years: what is longer is a mistake of somebody's clock.
constexpr double kSecondsMax = 3.2e10;

std::string scaled_text(double value, std::string_view unit) {
  constexpr std::string_view kPrefixes[] = {"", "k", "M", "G", "T", "P", "E"};
  std::size_t prefix = 0;
  while (value >= 999.5 && prefix + 1 < std::size(kPrefixes)) {
    value /= 1000;
    ++prefix;
  }
  // Three digits; of bytes themselves there are no parts.
  const int digits = prefix == 0 ? 0 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}{}", value, digits, kPrefixes[prefix], unit);
}

}  // namespace

std::string bytes_text(std::uint64_t bytes) { return scaled_text(static_cast<double>(bytes), "B"); }

std::string rate_text(double bytes_per_second) {
  return scaled_text(std::isfinite(bytes_per_second) ? bytes_per_second : 0, "B/s");
}

std::string count_text(std::uint64_t count) {
  std::string text = fmt::format("{}", count);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string count_text(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count_text(count), count == 1 ? one : many);
}

std::string or_dash(std::string_view text) { return text.empty() ? "-" : std::string(text); }

std::string duration_text(double seconds) {
  if (!(seconds > 0)) return "0 s";
  if (seconds < 0.9995) return fmt::format("{:.{}f} ms", seconds * 1e3, seconds < 0.01 ? 1 : 0);
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(std::llround(std::min(seconds, kSecondsMax)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86'400) return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", whole / 86'400, whole % 86'400 / 3600);
}

std::string local_time_text(std::int64_t unix_ns, const query::ZoneOffset& zone) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  constexpr std::size_t kTextBytes = 19;  // 2026-11-23T01:02:03
  std::string text = record::time_text(unix_ns + zone(unix_ns) * kSecond).substr(0, kTextBytes);
  std::ranges::replace(text, 'T', ' ');
  return text;
}

std::string printable(std::string_view text) {
  std::string safe;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const auto next = at + 1 < text.size() ? static_cast<unsigned char>(text[at + 1]) : 0U;
    if (byte < 0x20 || byte == 0x7f) {
      safe += '?';
    } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {  // U+0080 to U+009F: controls too
      safe += '?';
      ++at;
    } else {
      safe += text[at];
    }
  }
  return safe;
}

std::size_t width_of(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string coloured(std::string_view text, Mood mood, bool colour) {
  if (!colour || mood == Mood::kPlain || text.empty()) return std::string(text);
  const std::string_view begin = mood == Mood::kGood      ? "\x1b[32m"
                                 : mood == Mood::kWarning ? "\x1b[33m"
                                 : mood == Mood::kWrong   ? "\x1b[31m"
                                                          : "\x1b[1m";
  return fmt::format("{}{}\x1b[0m", begin, text);
}

}  // namespace flowtally::cli
