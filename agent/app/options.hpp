// This file reads the values that people give on the command line, each with its limits and a sentence for
// what is wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/answer.hpp"

namespace flowtally::app {

inline constexpr std::chrono::milliseconds kIntervalMin{100};
inline constexpr std::chrono::milliseconds kIntervalMax{std::chrono::hours{1}};
inline constexpr std::uint32_t kFlowsMaxMin = 16;
inline constexpr std::uint32_t kFlowsMaxMax = 1U << 24U;
inline constexpr std::size_t kNodeIdBytesMax = 128;
inline constexpr std::uint64_t kRetainedBytesMin = std::uint64_t{1} << 20U;

/// "5s", "250ms", "2m", "1h"; a number without a unit is refused, because nobody can tell what it means.
[[nodiscard]] base::Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// parse_duration within kIntervalMin and kIntervalMax.
[[nodiscard]] base::Result<std::chrono::milliseconds> parse_interval(std::string_view text);

/// A whole number, also "64k" and "2M" (powers of 1,024), within kFlowsMaxMin and kFlowsMaxMax.
[[nodiscard]] base::Result<std::uint32_t> parse_flows_max(std::string_view text);

/// Of the journal: "500M", "4G", "1T" (powers of 1,024), at least kRetainedBytesMin.
[[nodiscard]] base::Result<std::uint64_t> parse_retained_bytes(std::string_view text);

/// "12h", "30d", in milliseconds; at least a minute.
[[nodiscard]] base::Result<std::int64_t> parse_retained_age(std::string_view text);

/// Printable, not empty, at most kNodeIdBytesMax bytes.
[[nodiscard]] base::Result<std::string> parse_node_id(std::string_view text);

/// A name that the kernel would take for a device.
[[nodiscard]] base::Result<std::string> parse_interface(std::string_view text);

/// "table", "json", "ndjson", "csv".
[[nodiscard]] base::Result<cli::Format> parse_format(std::string_view text);

}  // namespace flowtally::app
