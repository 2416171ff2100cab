// This file measures what window_writer.cpp writes. Every entry is measured, which is a fraction of writing
// it. A node is measured by making its text, once for a window, and looked up twice for an entry; entries are
// sorted by their local and then by their remote end, so mostly the one before has had the same address.
#include "record/part_plan.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "record/node.hpp"
#include "record/writer.hpp"

namespace flowtally::record {
namespace {

using model::Address;
using model::Flow;
using model::NodeIndex;
using model::NodeMap;
using model::TrafficClass;

/// A list without its elements, less the comma that the last element does not have.
constexpr std::size_t frame_bytes(std::string_view begin) noexcept {
  return begin.size() + kListEnd.size() - 1;
}

/// Whose address it is, with the last answer at hand.
class Lookup {
 public:
  explicit Lookup(const NodeMap& nodes) noexcept : nodes_(nodes) {}

  /// None: nobody's, or this node's own.
  std::optional<NodeIndex> other_node_at(const Address& address) noexcept {
    if (address != last_) {
      last_ = address;
      const auto found = nodes_.node_at(address);
      answer_ = found == NodeIndex::kSelf ? std::nullopt : found;
    }
    return answer_;
  }

 private:
  const NodeMap& nodes_;
  Address last_{};  ///< no address, which is nobody's
  std::optional<NodeIndex> answer_{};
};

class Planner {
 public:
  Planner(const NodeMap& nodes, std::size_t room)
      : nodes_(nodes), room_(room), local_(nodes), remote_(nodes), seen_(nodes.size()) {}

  void add(TrafficClass which, const Flow& flow) {
    const auto local = local_.other_node_at(flow.local.address);
    auto remote =
        which == TrafficClass::kPhysical ? std::nullopt : remote_.other_node_at(flow.remote.address);
    if (remote == local) remote.reset();
    const std::size_t bytes = entry_bytes(flow) + 1;
    std::size_t cost = bytes + cost_of_lists(which, local, remote);
    if (used_ + cost > room_) {
      finish_part();
      cost = bytes + cost_of_lists(which, local, remote);
      FLOWTALLY_CHECK(cost <= room_);
    }
    used_ += cost;
    ++part_.entries[static_cast<std::size_t>(which)];
    list(local);
    list(remote);
  }

  [[nodiscard]] std::vector<Part> take() && {
    if (used_ > 0) finish_part();
    return std::move(parts_);
  }

 private:
  struct Seen {
    std::uint32_t part = 0;   ///< the last one that speaks of the node, from 1
    std::uint32_t bytes = 0;  ///< of its text; 0: not measured
  };

  [[nodiscard]] Seen& seen(NodeIndex node) noexcept { return seen_[static_cast<std::size_t>(node)]; }
  [[nodiscard]] std::uint32_t number() const noexcept {
    return static_cast<std::uint32_t>(parts_.size()) + 1;
  }

  /// What an entry adds besides itself: the frames of lists that it opens, and nodes.
  std::size_t cost_of_lists(TrafficClass which, std::optional<NodeIndex> local,
                            std::optional<NodeIndex> remote) {
    const auto place = static_cast<std::size_t>(which);
    const std::size_t nodes = node_cost(local) + node_cost(remote);
    std::size_t cost = nodes;
    if (nodes > 0 && part_.dst_nodes.empty()) cost += frame_bytes(kDstNodesBegin);
    if (part_.entries[place] == 0) cost += frame_bytes(kTrafficBegin[place]);
    return cost;
  }

  /// 0 where the part already has the node.
  std::size_t node_cost(std::optional<NodeIndex> node) {
    if (!node) return 0;
    Seen& known = seen(*node);
    if (known.part == number()) return 0;
    if (known.bytes == 0) {
      text_.clear();
      append_node(nodes_.node(*node), text_);
      known.bytes = static_cast<std::uint32_t>(text_.size());
    }
    return known.bytes + 1;
  }

  void list(std::optional<NodeIndex> node) {
    if (!node || seen(*node).part == number()) return;
    seen(*node).part = number();
    part_.dst_nodes.push_back(*node);
  }

  void finish_part() {
    std::ranges::sort(part_.dst_nodes, [&](NodeIndex left, NodeIndex right) {
      const int order = nodes_.node(left).id.compare(nodes_.node(right).id);
      return order != 0 ? order < 0 : left < right;
    });
    parts_.push_back(std::exchange(part_, {}));
    used_ = 0;
  }

  const NodeMap& nodes_;
  std::size_t room_;
  Lookup local_;
  Lookup remote_;
  std::vector<Seen> seen_;  ///< by NodeIndex
  std::string text_;
  std::vector<Part> parts_;
  Part part_;             ///< the one that is being filled
  std::size_t used_ = 0;  ///< of the room, by part_
};

}  // namespace

std::vector<Part> plan_parts(const model::ClassifiedWindow& window, std::size_t room) {
  Planner planner(*window.nodes, room);
  for (std::size_t place = 0; place < model::kTrafficClasses; ++place) {
    for (const Flow& flow : window.traffic[place]) planner.add(static_cast<TrafficClass>(place), flow);
  }
  return std::move(planner).take();
}

}  // namespace flowtally::record
