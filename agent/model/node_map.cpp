#include "model/node_map.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace flowtally::model {
namespace {

const Prefix kPeers4 = Prefix::of(Address::v4({100, 64, 0, 0}), 10);
const Prefix kPeers6 =
    Prefix::of(Address::v6({0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 48);
const Address kService4 = Address::v4({100, 100, 100, 100});
const Address kService6 = Address::v6({0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53});

/// Addresses are not chosen by an adversary who sees the hash, and a table is at most half full; two
/// multiplications mix enough.
std::size_t hash_of(const Address& address) noexcept {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, address.bytes.data(), sizeof(high));
  std::memcpy(&low, &address.bytes[8], sizeof(low));
  std::uint64_t mixed =
      (high ^ std::rotl(low, 29) ^ static_cast<std::uint64_t>(address.family)) * 0x9E37'79B9'7F4A'7C15U;
  mixed ^= mixed >> 32U;
  mixed *= 0xD6E8'FEB8'6659'FD93U;
  return static_cast<std::size_t>(mixed ^ (mixed >> 32U));
}

bool holds(const std::vector<Address>& addresses, const Address& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

using Routes = std::vector<std::pair<Prefix, PrefixTable::Value>>;

void add(Routes& routes, const Prefix& prefix) {
  if (prefix.bits > 0) routes.emplace_back(prefix, 0);
}

/// What this node serves to the tailnet. Without prefs, what the others were told it serves.
void add_advertised(Routes& routes, const Tailnet& tailnet) {
  if (tailnet.prefs) {
    for (const Prefix& prefix : tailnet.prefs->advertised_routes) add(routes, prefix);
    return;
  }
  for (const Prefix& prefix : tailnet.self.primary_routes) add(routes, prefix);
  for (const Prefix& prefix : tailnet.self.allowed_ips) add(routes, prefix);
}

/// What peers are sent: their own addresses always, their subnets if this node accepts routes (without prefs
/// nobody knows: yes).
void add_peers(Routes& routes, const Tailnet& tailnet) {
  const bool accept = !tailnet.prefs || tailnet.prefs->accept_routes;
  Routes single4;
  bool any6 = false;
  for (const Node& peer : tailnet.peers) {
    if (peer.expired) continue;
    for (const Prefix& prefix : peer.allowed_ips) {
      const bool tailscale = prefix.is_single() && is_tailscale_address(prefix.address);
      if (tailscale && prefix.address.family == Address::Family::kV6) {
        any6 = true;
      } else if (tailscale) {
        add(single4, prefix);
      } else if (accept || (prefix.is_single() && holds(peer.addresses, prefix.address))) {
        add(routes, prefix);
      }
    }
  }
  if (single4.size() > kSingleRoutesMax) {
    add(routes, kPeers4);
  } else {
    routes.insert(routes.end(), single4.begin(), single4.end());
  }
  if (any6) add(routes, kPeers6);
}

/// With an exit node and without leave to talk to the LAN, the LAN is routed through the exit node.
void add_local(Routes& routes, const Tailnet& tailnet) {
  const bool exit_node = tailnet.exit_node_in_use || (tailnet.prefs && tailnet.prefs->exit_node);
  if (!exit_node || (tailnet.prefs && tailnet.prefs->exit_node_allow_lan)) return;
  for (const Prefix& prefix : tailnet.local_prefixes) {
    if (!prefix.is_single() && !is_tailscale_address(prefix.address)) add(routes, prefix);
  }
}

}  // namespace

std::size_t NodeMap::EndpointHash::operator()(const Endpoint& endpoint) const noexcept {
  return hash_of(endpoint.address) ^ (std::size_t{endpoint.port} * 0x9E37'79B9U);
}

std::shared_ptr<const NodeMap> NodeMap::make(Tailnet tailnet) {
  return std::shared_ptr<const NodeMap>(new NodeMap(std::move(tailnet)));
}

NodeMap::NodeMap(Tailnet tailnet) : tailnet_(std::move(tailnet)) {
  index_addresses();
  index_routes();
  index_endpoints();
}

const Node& NodeMap::node(NodeIndex index) const noexcept {
  return index == NodeIndex::kSelf ? tailnet_.self : tailnet_.peers[static_cast<std::uint32_t>(index) - 1];
}

void NodeMap::index_addresses() {
  std::size_t count = tailnet_.self.addresses.size();
  for (const Node& peer : tailnet_.peers) count += peer.addresses.size();
  slots_.resize(std::bit_ceil(std::max<std::size_t>(count, 1) * 2));
  for (const Address& address : tailnet_.self.addresses) insert(address, 0);
  for (std::size_t peer = 0; peer < tailnet_.peers.size(); ++peer) {
    for (const Address& address : tailnet_.peers[peer].addresses) {
      insert(address, static_cast<std::uint32_t>(peer + 1));
    }
  }
}

void NodeMap::insert(const Address& address, std::uint32_t node) noexcept {
  if (!address.valid()) return;
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash_of(address) & mask;
  while (slots_[at].address.valid()) {
    if (slots_[at].address == address) return;
    at = (at + 1) & mask;
  }
  slots_[at] = {.address = address, .node = node};
}

std::optional<NodeIndex> NodeMap::node_at(const Address& address) const noexcept {
  if (!address.valid()) return std::nullopt;
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash_of(address) & mask; slots_[at].address.valid(); at = (at + 1) & mask) {
    if (slots_[at].address == address) return static_cast<NodeIndex>(slots_[at].node);
  }
  return std::nullopt;
}

void NodeMap::index_routes() {
  Routes routes;
  for (const Address& address : tailnet_.self.addresses) add(routes, Prefix::single(address));
  for (const Address& address : tailnet_.service_addresses) add(routes, Prefix::single(address));
  add(routes, Prefix::single(kService4));
  add(routes, Prefix::single(kService6));
  add_advertised(routes, tailnet_);
  add_peers(routes, tailnet_);
  add_local(routes, tailnet_);
  routes_ = PrefixTable(routes);

  Routes owners;
  for (std::size_t peer = 0; peer < tailnet_.peers.size(); ++peer) {
    for (const Prefix& prefix : tailnet_.peers[peer].allowed_ips) {
      if (prefix.bits > 0) owners.emplace_back(prefix, static_cast<PrefixTable::Value>(peer + 1));
    }
  }
  owners_ = PrefixTable(owners);
}

std::optional<NodeIndex> NodeMap::route_owner(const Address& address) const noexcept {
  const auto owner = owners_.find(address);
  if (!owner) return std::nullopt;
  return static_cast<NodeIndex>(*owner);
}

void NodeMap::index_endpoints() {
  // Those in use first, so that what a peer used before does not take them.
  for (const bool in_use : {true, false}) {
    for (std::size_t peer = 0; peer < tailnet_.peers.size(); ++peer) {
      const auto& endpoints = tailnet_.peers[peer].endpoints;
      for (std::size_t at = 0; at < endpoints.size(); ++at) {
        if ((at == 0) == in_use) endpoints_.emplace(endpoints[at], static_cast<std::uint32_t>(peer + 1));
      }
    }
  }
}

std::optional<NodeIndex> NodeMap::node_behind(const Endpoint& endpoint) const noexcept {
  const auto found = endpoints_.find(endpoint);
  if (found == endpoints_.end()) return std::nullopt;
  return static_cast<NodeIndex>(found->second);
}

}  // namespace flowtally::model
