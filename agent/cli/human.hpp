// This file writes values as people read them: short, in units, safe for a terminal. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "query/time_text.hpp"

namespace flowtally::cli {

/// "999 B", "1.23 kB", "45.6 MB"; powers of 1000, as in filters.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
/// "1.23 kB/s".
[[nodiscard]] std::string rate_text(double bytes_per_second);
/// "1,234,567".
[[nodiscard]] std::string count_text(std::uint64_t count);
/// "1 window", "2 windows".
[[nodiscard]] std::string count_text(std::uint64_t count, std::string_view one, std::string_view many);
/// "0.4 s", "12 s", "3 min 20 s", "5 h 3 min", "12 d 4 h".
[[nodiscard]] std::string duration_text(double seconds);
/// "2026-11-23 01:02:03", by the clocks of `zone`.
[[nodiscard]] std::string local_time_text(std::int64_t unix_ns, const query::ZoneOffset& zone);

/// "-" for what is not there.
[[nodiscard]] std::string or_dash(std::string_view text);
/// The text with '?' for what would command a terminal: names come from other people's machines.
[[nodiscard]] std::string printable(std::string_view text);
/// Characters, not bytes; each is taken for one column wide.
[[nodiscard]] std::size_t width_of(std::string_view text) noexcept;

enum class Mood : std::uint8_t { kPlain, kGood, kWarning, kWrong, kHeading };
/// In colour where `colour` says so.
[[nodiscard]] std::string coloured(std::string_view text, Mood mood, bool colour);

}  // namespace flowtally::cli
