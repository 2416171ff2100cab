// This file makes random tailnets for the property tests, from a fixed seed. Addresses come from small pools
// on purpose: nodes share addresses, routes lie in one another, and what is asked is often somebody's.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include "model/tailnet.hpp"
#include "unit/model/texts.hpp"

namespace flowtally::model {

class RandomTailnet {
 public:
  explicit RandomTailnet(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t below(std::uint64_t end) { return engine_() % end; }
  bool one_in(std::uint64_t chances) { return below(chances) == 0; }

  /// Of Tailscale's ranges (borders, 4via6 and service addresses among them), of private ones, of others.
  Address any_address() {
    static const std::vector<Address> kBases = addresses({"100.64.0.0",       "100.64.0.0",
                                                          "100.64.0.0",       "fd7a:115c:a1e0::",
                                                          "fd7a:115c:a1e0::", "fd7a:115c:a1e0:b1a::",
                                                          "100.115.92.0",     "100.127.255.240",
                                                          "100.100.100.96",   "10.0.0.0",
                                                          "10.1.0.0",         "192.168.1.0",
                                                          "172.16.5.0",       "169.254.3.0",
                                                          "8.8.8.0",          "fd00::",
                                                          "fe80::",           "2001:db8::",
                                                          "::ffff:10.0.0.0",  "fd7a:115c:a1e0::50",
                                                          "255.255.255.240",  "0.0.0.0"});
    Address address = kBases[below(kBases.size())];
    const std::size_t last = address.family == Address::Family::kV4 ? 3 : 15;
    address.bytes[last] = static_cast<std::uint8_t>(address.bytes[last] + below(12));
    return address;
  }
  Address tailscale_address() {
    for (;;) {
      const Address address = any_address();
      if (is_tailscale_address(address)) return address;
    }
  }
  Prefix any_prefix() {
    const Address address = any_address();
    const bool v4 = address.family == Address::Family::kV4;
    if (one_in(8)) return Prefix::of(address, 0);
    if (one_in(3)) return Prefix::single(address);
    return Prefix::of(address, static_cast<std::uint8_t>(1 + below(v4 ? 32 : 128)));
  }
  Endpoint any_endpoint() {
    return {.address = one_in(2) ? address("203.0.113.7") : address("2001:db8::7"),
            .port = static_cast<std::uint16_t>(41641 + below(6))};
  }

  Node node() {
    Node node;
    for (auto left = below(4); left > 0; --left) {
      node.addresses.push_back(one_in(8) ? any_address() : tailscale_address());
      if (!one_in(6)) node.allowed_ips.push_back(Prefix::single(node.addresses.back()));
    }
    for (auto left = below(4); left > 0; --left) node.allowed_ips.push_back(any_prefix());
    for (auto left = below(3); left > 0; --left) node.primary_routes.push_back(any_prefix());
    for (auto left = below(3); left > 0; --left) node.endpoints.push_back(any_endpoint());
    node.expired = one_in(6);
    return node;
  }

  Tailnet tailnet() {
    Tailnet tailnet{.source = one_in(8) ? Tailnet::Source::kNone : Tailnet::Source::kTailscaled};
    tailnet.self = node();
    tailnet.self.expired = one_in(20);
    for (auto left = below(7); left > 0; --left) tailnet.peers.push_back(node());
    if (!one_in(4)) {
      tailnet.prefs =
          RoutingPrefs{.accept_routes = one_in(2), .exit_node_allow_lan = one_in(3), .exit_node = one_in(2)};
      for (auto left = below(4); left > 0; --left) {
        tailnet.prefs->advertised_routes.push_back(any_prefix());
      }
    }
    for (auto left = below(3); left > 0; --left) tailnet.service_addresses.push_back(tailscale_address());
    for (auto left = below(4); left > 0; --left) tailnet.local_prefixes.push_back(any_prefix());
    tailnet.exit_node_in_use = one_in(4);
    tailnet.log_exit_flows = one_in(4);
    return tailnet;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace flowtally::model
