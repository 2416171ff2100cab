#include "base/units.hpp"

#include <array>
#include <charconv>

namespace flowtally::base {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 6> kTimes = {
    {{"w", 604'800'000}, {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 6> kSizes = {{{"T", std::uint64_t{1} << 40U},
                                         {"G", std::uint64_t{1} << 30U},
                                         {"M", std::uint64_t{1} << 20U},
                                         {"K", std::uint64_t{1} << 10U},
                                         {"k", std::uint64_t{1} << 10U},
                                         {"", 1}}};

std::optional<std::uint64_t> parse(std::string_view text, const std::array<Unit, 6>& units,
                                   std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& known : units) {
    if (unit == known.name && number <= most / known.factor) return number * known.factor;
  }
  return std::nullopt;
}

std::string text_of(std::uint64_t value, const std::array<Unit, 6>& units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0)
      return std::to_string(value / unit.factor) + std::string(unit.name);
  }
  return {};
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_time(std::string_view text) {
  const auto milliseconds = parse(text, kTimes, kMillisecondsMax);
  if (!milliseconds) return std::nullopt;
  return std::chrono::milliseconds(*milliseconds);
}

std::optional<std::uint64_t> parse_size(std::string_view text) { return parse(text, kSizes, kSizeMax); }

std::string time_text(std::chrono::milliseconds time) {
  return time.count() <= 0 ? "0s" : text_of(static_cast<std::uint64_t>(time.count()), kTimes);
}

std::string size_text(std::uint64_t size) { return size == 0 ? "0" : text_of(size, kSizes); }

}  // namespace flowtally::base
