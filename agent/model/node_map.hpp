// This file is a tailnet made quick to ask: whose address is this, is there a route to that one, whose
// endpoint is this. Immutable, so that one window is judged by one state of the tailnet, and threads may
// share it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "model/address.hpp"
#include "model/tailnet.hpp"

namespace flowtally::model {

/// Place of a node in a NodeMap; 0 is this node itself.
enum class NodeIndex : std::uint32_t { kSelf = 0 };

/// Built once from a Tailnet, then only read; every look-up is safe from any thread.
class NodeMap {
 public:
  [[nodiscard]] static std::shared_ptr<const NodeMap> make(Tailnet tailnet);

  [[nodiscard]] const Tailnet& tailnet() const noexcept;
  [[nodiscard]] const Node& node(NodeIndex index) const noexcept;
  /// Nodes in all, this one included; NodeIndex runs below it.
  [[nodiscard]] std::size_t size() const noexcept;

  /// The node whose own address this is.
  [[nodiscard]] std::optional<NodeIndex> node_at(const Address& address) const noexcept;
  /// True where the address is in a prefix that this node routes into the tailnet or serves to it: R of
  /// Tailscale's makeRouteMaps (wgengine/netlog); never by a prefix of length 0.
  [[nodiscard]] bool routed(const Address& address) const noexcept;
  /// The peer that the longest prefix of all peers' allowed IPs (length 0 left out) gives this address to.
  [[nodiscard]] std::optional<NodeIndex> route_owner(const Address& address) const noexcept;
  /// The peer whose UDP comes from this endpoint of the underlay.
  [[nodiscard]] std::optional<NodeIndex> node_behind(const Endpoint& endpoint) const noexcept;

  /// False: nobody told whose address is whose, or by which settings packets are routed; then traffic is
  /// classified by address ranges.
  [[nodiscard]] bool knows_routes() const noexcept;
};

}  // namespace flowtally::model
