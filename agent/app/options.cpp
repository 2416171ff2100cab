#include "app/options.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "capture/device.hpp"

namespace flowtally::app {
namespace {

base::Error invalid(std::string what) { return {base::ErrorCode::kInvalidArgument, std::move(what)}; }

/// Splits "250ms" into 250 and "ms". False where there is no number in front, or it does not fit.
bool split_number(std::string_view text, std::uint64_t& number, std::string_view& unit) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

base::Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
  std::uint64_t number = 0;
  std::string_view unit;
  if (split_number(text, number, unit)) {
    for (const auto& [name, factor] : kUnits) {
      if (unit != name) continue;
      if (number > std::uint64_t{1} << 40U) break;
      return std::chrono::milliseconds(number * factor);
    }
  }
  return base::fail(invalid(fmt::format("\"{}\" is no duration", text)).advise("Write 250ms, 5s, 2m or 1h"));
}

base::Result<std::chrono::milliseconds> parse_interval(std::string_view text) {
  auto interval = parse_duration(text);
  if (!interval || (*interval >= kIntervalMin && *interval <= kIntervalMax)) return interval;
  return base::fail(invalid(fmt::format("an interval of {} is not possible", text))
                        .advise("Choose one from 100ms to 1h; Tailscale's own is 5s"));
}

base::Result<std::uint32_t> parse_flows_max(std::string_view text) {
  std::uint64_t number = 0;
  std::string_view unit;
  if (split_number(text, number, unit) && number <= kFlowsMaxMax) {
    if (unit == "k" || unit == "K") number *= 1024, unit = {};
    if (unit == "M") number *= std::uint64_t{1024} * 1024, unit = {};
    if (unit.empty() && number >= kFlowsMaxMin && number <= kFlowsMaxMax)
      return static_cast<std::uint32_t>(number);
  }
  return base::fail(invalid(fmt::format("\"{}\" flows are not possible", text))
                        .advise(fmt::format("Choose a number from {} to {}", kFlowsMaxMin, kFlowsMaxMax)));
}

base::Result<std::uint64_t> parse_retained_bytes(std::string_view text) {
  constexpr std::string_view kUnits = "KMGT";
  constexpr std::uint64_t kNumberMax = std::uint64_t{1} << 23U;  // of terabytes: 63 bits
  std::uint64_t number = 0;
  std::string_view unit;
  if (split_number(text, number, unit) && unit.size() == 1 && number <= kNumberMax) {
    const std::size_t power = kUnits.find(unit.front());
    if (power != std::string_view::npos) {
      const std::uint64_t bytes = number << (10 * (power + 1));
      if (bytes >= kRetainedBytesMin) return bytes;
    }
  }
  return base::fail(invalid(fmt::format("\"{}\" is no size of a journal", text))
                        .advise("Write 500M, 4G or 1T; 1M is the least"));
}

base::Result<std::int64_t> parse_retained_age(std::string_view text) {
  constexpr std::pair<char, std::int64_t> kUnits[] = {
      {'m', 60'000}, {'h', 3'600'000}, {'d', 86'400'000}, {'w', 604'800'000}};
  constexpr std::uint64_t kNumberMax = 1'000'000;
  std::uint64_t number = 0;
  std::string_view unit;
  if (split_number(text, number, unit) && unit.size() == 1 && number > 0 && number <= kNumberMax) {
    for (const auto& [name, factor] : kUnits) {
      if (unit.front() == name) return static_cast<std::int64_t>(number) * factor;
    }
  }
  return base::fail(invalid(fmt::format("\"{}\" is no age", text)).advise("Write 90m, 12h, 30d or 8w"));
}

base::Result<std::string> parse_node_id(std::string_view text) {
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!text.empty() && text.size() <= kNodeIdBytesMax && printable) return std::string(text);
  return base::fail(
      invalid("the node id is not possible")
          .advise(fmt::format("Give 1 to {} printable ASCII characters without spaces", kNodeIdBytesMax)));
}

base::Result<std::string> parse_interface(std::string_view text) {
  std::string name(text);
  if (capture::valid_device_name(name)) return name;
  return base::fail(invalid(fmt::format("\"{}\" is no interface name", text))
                        .advise("Give 1 to 15 characters without slash, colon or space, such as tailscale0"));
}

base::Result<cli::Format> parse_format(std::string_view text) {
  if (const auto format = cli::format_of(text)) return *format;
  return base::fail(
      invalid(fmt::format("\"{}\" is no form of output", text)).advise("Give table, json, ndjson or csv"));
}

}  // namespace flowtally::app
