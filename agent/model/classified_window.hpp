// This file is a window in the classes of Tailscale's records, with the nodes that it speaks of: what
// record/ writes. Values, no I/O.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "model/node_map.hpp"
#include "model/window.hpp"

namespace flowtally::model {

/// The four lists of a record, in the order in which it has them.
enum class TrafficClass : std::uint8_t {
  kVirtual = 0,   ///< between this node and another one
  kSubnet = 1,    ///< with a subnet that is routed into the tailnet, by us or for us
  kExit = 2,      ///< with everything else: through an exit node, or as one
  kPhysical = 3,  ///< tailscaled's own datagrams on the underlay
};
inline constexpr std::size_t kTrafficClasses = 4;

/// A window whose flows are in exactly one class each.
struct ClassifiedWindow {
  base::Moment start{};
  base::Moment end{};
  std::uint64_t epoch = 0;
  /// By TrafficClass; each in record order, each key once per class. Exit rows may be anonymised (no
  /// protocol, no ports, addresses of nodes only) and merged. Physical rows have the peer's first address,
  /// port 0, as `local` and its endpoint as `remote`, no protocol.
  std::array<std::vector<Flow>, kTrafficClasses> traffic{};
  Counters coarse{};    ///< of the virtual, subnet and exit traffic: counted without ports, for lack of room
  Totals totals{};      ///< of the counted device
  Underlay underlay{};  ///< of the underlay; its flows are in `traffic` or in `underlay.unmapped`
  /// An address of Tailscale's range is no node's and routed to no peer (as services are), or an endpoint of
  /// the underlay is no peer's: what is known of the tailnet may be old.
  bool unknown_ends = false;
  std::shared_ptr<const NodeMap> nodes{};  ///< by which it was classified; never null

  [[nodiscard]] const std::vector<Flow>& of(TrafficClass which) const noexcept {
    return traffic[static_cast<std::size_t>(which)];
  }
  [[nodiscard]] std::vector<Flow>& of(TrafficClass which) noexcept {
    return traffic[static_cast<std::size_t>(which)];
  }
};

}  // namespace flowtally::model
