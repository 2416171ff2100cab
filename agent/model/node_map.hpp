// This file is a tailnet made quick to ask: whose address is this, is there a route to that one, whose
// endpoint is this. Immutable, so that one window is judged by one state of the tailnet, and threads may
// share it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/address.hpp"
#include "model/prefix_table.hpp"
#include "model/tailnet.hpp"

namespace flowtally::model {

/// Place of a node in a NodeMap; 0 is this node itself.
enum class NodeIndex : std::uint32_t { kSelf = 0 };

/// More single IPv4 addresses of peers than this are routed as one block, 100.64.0.0/10 (ipn/ipnlocal, as
/// tailscale.com 1.102 has it).
inline constexpr std::size_t kSingleRoutesMax = 10'000;

/// Built once from a Tailnet, then only read; every look-up is safe from any thread and takes no memory.
class NodeMap {
 public:
  /// Of addresses that several nodes claim the first one has it, this node before the others.
  [[nodiscard]] static std::shared_ptr<const NodeMap> make(Tailnet tailnet);

  [[nodiscard]] const Tailnet& tailnet() const noexcept { return tailnet_; }
  [[nodiscard]] const Node& node(NodeIndex index) const noexcept;
  /// Nodes in all, this one included; every NodeIndex is below it.
  [[nodiscard]] std::size_t size() const noexcept { return tailnet_.peers.size() + 1; }

  /// The node whose own address this is.
  [[nodiscard]] std::optional<NodeIndex> node_at(const Address& address) const noexcept;
  /// True where the address is in a prefix that this node routes into the tailnet or serves to it: R of
  /// Tailscale's makeRouteMaps (wgengine/netlog); never by a prefix of length 0.
  [[nodiscard]] bool routed(const Address& address) const noexcept {
    return routes_.find(address).has_value();
  }
  /// The peer that the longest prefix of all peers' allowed IPs (length 0 left out) gives this address to.
  [[nodiscard]] std::optional<NodeIndex> route_owner(const Address& address) const noexcept;
  /// The peer whose UDP comes from this endpoint of the underlay. Of several that had it, the one that uses
  /// it now (its first endpoint), else the first one.
  [[nodiscard]] std::optional<NodeIndex> node_behind(const Endpoint& endpoint) const noexcept;

  /// False: nobody told whose address is whose, or by which settings packets are routed; then traffic is
  /// classified by address ranges.
  [[nodiscard]] bool knows_routes() const noexcept {
    return tailnet_.source != Tailnet::Source::kNone && tailnet_.prefs.has_value();
  }

 private:
  /// A place of the hash of addresses; family kNone: empty.
  struct Slot {
    Address address;
    std::uint32_t node = 0;
  };
  struct EndpointHash {
    std::size_t operator()(const Endpoint& endpoint) const noexcept;
  };

  explicit NodeMap(Tailnet tailnet);
  void index_addresses();
  void index_routes();
  void index_endpoints();
  void insert(const Address& address, std::uint32_t node) noexcept;

  Tailnet tailnet_;
  std::vector<Slot> slots_;  ///< a power of two, at most half full
  PrefixTable routes_;
  PrefixTable owners_;
  std::unordered_map<Endpoint, std::uint32_t, EndpointHash> endpoints_;
};

}  // namespace flowtally::model
