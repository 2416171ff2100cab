// This file reads and writes times and sizes as people write them: "5s", "64M". Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flowtally::base {

/// Longer times and larger sizes than these are nobody's wish; they leave room to calculate with.
inline constexpr std::uint64_t kMillisecondsMax = std::uint64_t{1} << 50U;
inline constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 62U;

/// "250ms", "5s", "2m", "1h", "30d", "8w". A number without a unit is nothing, because nobody can tell what
/// it means.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_time(std::string_view text);
/// "1000", "64k", "64K", "4M", "1G", "1T": the units are powers of 1,024.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

/// The shortest text of those that the parsers read as just this, in the largest unit that fits evenly.
[[nodiscard]] std::string time_text(std::chrono::milliseconds time);
[[nodiscard]] std::string size_text(std::uint64_t size);

}  // namespace flowtally::base
