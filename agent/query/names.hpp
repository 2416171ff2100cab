// This file is the words of the filter language and of queries: fields, protocols, services, classes, units.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/classified_window.hpp"

namespace flowtally::query {

/// "tcp", "icmpv6", "6"; any case.
[[nodiscard]] std::optional<std::uint8_t> protocol_of(std::string_view text);
/// "tcp"; the number where it has no name.
[[nodiscard]] std::string protocol_name(std::uint8_t proto);
/// Names of /etc/services that people use, without reading that file.
[[nodiscard]] std::optional<std::uint16_t> service_port(std::string_view name);
/// A number up to 65535 or a service.
[[nodiscard]] std::optional<std::uint16_t> port_of(std::string_view text);
/// "1500", "64K", "1M", "2Gi"; K, M, G, T are powers of 1,000, Ki and so on of 1,024.
[[nodiscard]] std::optional<std::uint64_t> amount_of(std::string_view text);
[[nodiscard]] std::optional<model::TrafficClass> class_of(std::string_view text);
[[nodiscard]] std::string_view class_name(model::TrafficClass traffic_class) noexcept;

[[nodiscard]] std::string lower(std::string_view text);
/// ", did you mean `tcp`?" where one of `words` is near; else empty.
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string_view> words);

/// Whether `pattern`, in which '*' stands for any characters, is all of `text`. Any case; `pattern` in lower
/// case.
[[nodiscard]] bool glob_matches(std::string_view pattern, std::string_view text) noexcept;
/// The same for a node's name: the whole one, with or without its last dot, or the part before the first dot.
[[nodiscard]] bool name_matches(std::string_view pattern, std::string_view name) noexcept;

}  // namespace flowtally::query
