// This file makes the text of a node, as it stands in `srcNode` and `dstNodes` of a record: Tailscale's
// fields (netlogtype.Node) in Tailscale's order.
#pragma once

#include <cstddef>
#include <string>

#include "model/record.hpp"
#include "model/tailnet.hpp"

namespace flowtally::record {

/// The longest node in a record, as text. What a node is called comes from outside, and a record has to have
/// room for this node and both ends of a flow besides; tags that find no room are left out.
inline constexpr std::size_t kNodeBytesMax = 16'384;

/// The longest id, name, system or user of a node, before it is escaped; longer ones are cut at the end of a
/// character.
inline constexpr std::size_t kNodeTextBytesMax = 512;

/// Appends the node within the two limits. Of its addresses the first IPv4 and then the first IPv6 one are
/// written. All but the id is left out where it is empty.
void append_node(const model::Node& node, std::string& out);

/// Appends the node as it is: no limit, all its addresses.
void append_node(const model::RecordNode& node, std::string& out);

}  // namespace flowtally::record
