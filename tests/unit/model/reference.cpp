#include "unit/model/reference.hpp"

#include <algorithm>
#include <set>

#include "unit/model/texts.hpp"

namespace flowtally::model::reference {
namespace {

bool bit(const Address& address, unsigned at) { return (address.bytes[at / 8] >> (7 - at % 8) & 1) != 0; }

unsigned bits_of(const Address& address) { return address.family == Address::Family::kV4 ? 32 : 128; }

bool single(const Prefix& prefix) { return prefix.bits == bits_of(prefix.address); }

/// "for p in st.Peer, not p.Expired, for a in p.AllowedIPs: ..."
void append_peers(const Tailnet& tailnet, std::vector<Prefix>& routes) {
  const bool route_all = !tailnet.prefs.has_value() || tailnet.prefs->accept_routes;
  std::vector<Prefix> shared_range_singles;
  for (const Node& peer : tailnet.peers) {
    if (peer.expired) continue;
    for (const Prefix& allowed : peer.allowed_ips) {
      const bool own = std::count(peer.addresses.begin(), peer.addresses.end(), allowed.address) > 0;
      if (single(allowed) && is_tailscale(allowed.address)) {
        if (allowed.address.family == Address::Family::kV6) {
          routes.push_back(prefix("fd7a:115c:a1e0::/48"));
        } else {
          shared_range_singles.push_back(allowed);
        }
      } else if ((single(allowed) && own) || route_all) {
        routes.push_back(allowed);
      }
    }
  }
  if (shared_range_singles.size() > 10'000) shared_range_singles = {prefix("100.64.0.0/10")};
  routes.insert(routes.end(), shared_range_singles.begin(), shared_range_singles.end());
}

}  // namespace

bool holds(const Prefix& prefix, const Address& address) {
  if (!address.valid() || prefix.address.family != address.family) return false;
  for (unsigned at = 0; at < prefix.bits; ++at) {
    if (bit(prefix.address, at) != bit(address, at)) return false;
  }
  return true;
}

std::optional<std::uint32_t> longest(const std::vector<std::pair<Prefix, std::uint32_t>>& prefixes,
                                     const Address& address) {
  const std::pair<Prefix, std::uint32_t>* best = nullptr;
  for (const auto& one : prefixes) {
    if (holds(one.first, address) && (best == nullptr || one.first.bits > best->first.bits)) best = &one;
  }
  if (best == nullptr) return std::nullopt;
  return best->second;
}

bool is_tailscale(const Address& address) {
  return holds(prefix("fd7a:115c:a1e0::/48"), address) ||
         (holds(prefix("100.64.0.0/10"), address) && !holds(prefix("100.115.92.0/23"), address));
}

std::optional<std::uint32_t> node_at(const Tailnet& tailnet, const Address& address) {
  if (!address.valid()) return std::nullopt;
  const auto has = [&](const Node& node) {
    return std::find(node.addresses.begin(), node.addresses.end(), address) != node.addresses.end();
  };
  if (has(tailnet.self)) return 0;
  for (std::size_t peer = 0; peer < tailnet.peers.size(); ++peer) {
    if (has(tailnet.peers[peer])) return static_cast<std::uint32_t>(peer + 1);
  }
  return std::nullopt;
}

std::vector<Prefix> routes(const Tailnet& tailnet) {
  std::vector<Prefix> routes = prefixes({"100.100.100.100/32", "fd7a:115c:a1e0::53/128"});
  for (const Address& own : tailnet.self.addresses) routes.push_back(Prefix::single(own));
  for (const Address& service : tailnet.service_addresses) routes.push_back(Prefix::single(service));
  if (tailnet.prefs.has_value()) {
    const auto& advertised = tailnet.prefs->advertised_routes;
    routes.insert(routes.end(), advertised.begin(), advertised.end());
  } else {
    routes.insert(routes.end(), tailnet.self.primary_routes.begin(), tailnet.self.primary_routes.end());
    routes.insert(routes.end(), tailnet.self.allowed_ips.begin(), tailnet.self.allowed_ips.end());
  }
  append_peers(tailnet, routes);
  const bool exit = (tailnet.prefs.has_value() && tailnet.prefs->exit_node) || tailnet.exit_node_in_use;
  if (exit && !(tailnet.prefs.has_value() && tailnet.prefs->exit_node_allow_lan)) {
    for (const Prefix& local : tailnet.local_prefixes) {
      if (!single(local) && !is_tailscale(local.address)) routes.push_back(local);
    }
  }
  std::erase_if(routes, [](const Prefix& route) { return route.bits == 0; });
  return routes;
}

bool routed(const std::vector<Prefix>& routes, const Address& address) {
  return std::any_of(routes.begin(), routes.end(),
                     [&](const Prefix& route) { return holds(route, address); });
}

std::optional<std::uint32_t> route_owner(const Tailnet& tailnet, const Address& address) {
  std::vector<std::pair<Prefix, std::uint32_t>> all;
  for (std::size_t peer = 0; peer < tailnet.peers.size(); ++peer) {
    for (const Prefix& allowed : tailnet.peers[peer].allowed_ips) {
      if (allowed.bits > 0) all.emplace_back(allowed, static_cast<std::uint32_t>(peer + 1));
    }
  }
  return longest(all, address);
}

std::optional<std::uint32_t> node_behind(const Tailnet& tailnet, const Endpoint& endpoint) {
  std::optional<std::uint32_t> before;
  for (std::size_t peer = 0; peer < tailnet.peers.size(); ++peer) {
    const auto& endpoints = tailnet.peers[peer].endpoints;
    const auto found = std::find(endpoints.begin(), endpoints.end(), endpoint);
    if (found == endpoints.end()) continue;
    if (found == endpoints.begin()) return static_cast<std::uint32_t>(peer + 1);
    if (!before) before = static_cast<std::uint32_t>(peer + 1);
  }
  return before;
}

}  // namespace flowtally::model::reference
