// This file is what a connection is called in answers.
#pragma once

#include <cstdint>
#include <string>

#include "query/line.hpp"
#include "query/query.hpp"

namespace flowtally::query {

/// Of the two ports the lower one that is not 0.
[[nodiscard]] std::uint16_t service_port_of(const model::Flow& flow) noexcept;
/// The reporting node's name, or its id where no name is known.
[[nodiscard]] std::string node_text(const Line& line);
/// The peer's name, or its id; empty: not known.
[[nodiscard]] std::string peer_text(const Line& line, const Connection& connection);
[[nodiscard]] std::string user_text(const Line& line, const Connection& connection);
/// All tags, with commas between.
[[nodiscard]] std::string tags_text(const Line& line, const Connection& connection);

/// A connection as a row of columns_of() without groups.
[[nodiscard]] Row connection_row(const Line& line, const Connection& connection);

/// True where an answer with these groups names nodes.
[[nodiscard]] bool names_nodes(const Query& query) noexcept;

}  // namespace flowtally::query
