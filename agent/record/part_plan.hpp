// This file says where a window is cut into records: how many entries of each list a part has, and of which
// nodes it speaks.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "model/classified_window.hpp"
#include "model/node_map.hpp"

namespace flowtally::record {

/// One record of a window. The entries are the next ones of the window's lists; parts run through the
/// virtual, subnet, exit and physical list in this order.
struct Part {
  std::array<std::size_t, model::kTrafficClasses> entries{};
  std::vector<model::NodeIndex> dst_nodes{};  ///< each once, by id
};

/// Fills parts one after the other: an entry that does not fit into `room` bytes, with the list that it opens
/// and the nodes that it is the first of the part to speak of, begins the next part. None where nothing is
/// listed. `room` must hold any entry with two nodes.
[[nodiscard]] std::vector<Part> plan_parts(const model::ClassifiedWindow& window, std::size_t room);

}  // namespace flowtally::record
