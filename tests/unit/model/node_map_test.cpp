// Goal: a node map answers as Tailscale's rules say: R of makeRouteMaps, whose address, whose endpoint.
// Method: every clause by hand, beside its opposite; then random tailnets, whose every answer is compared
// with the slow reference beside this file.
#include "model/node_map.hpp"

#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "unit/model/random_tailnet.hpp"
#include "unit/model/reference.hpp"
#include "unit/model/texts.hpp"

namespace flowtally::model {
namespace {

/// This node at .1, a router at .2 (10.20.0.0/16, and everything as an exit node) and a plain peer at .3.
Tailnet small_tailnet() {
  Tailnet tailnet{.source = Tailnet::Source::kTailscaled, .prefs = RoutingPrefs{}};
  tailnet.self.addresses = addresses({"100.64.0.1", "fd7a:115c:a1e0::1"});
  tailnet.self.allowed_ips = prefixes({"100.64.0.1/32", "fd7a:115c:a1e0::1/128"});
  tailnet.peers.resize(2);
  tailnet.peers[0].addresses = addresses({"100.64.0.2", "fd7a:115c:a1e0::2"});
  tailnet.peers[0].allowed_ips =
      prefixes({"100.64.0.2/32", "fd7a:115c:a1e0::2/128", "10.20.0.0/16", "fd12::/32", "0.0.0.0/0", "::/0"});
  tailnet.peers[1].addresses = addresses({"100.64.0.3"});
  tailnet.peers[1].allowed_ips = prefixes({"100.64.0.3/32"});
  return tailnet;
}

/// The settings, made where there are none.
RoutingPrefs& prefs_of(Tailnet& tailnet) {
  if (!tailnet.prefs) tailnet.prefs.emplace();
  return *tailnet.prefs;
}

bool routed(const Tailnet& tailnet, std::string_view text) {
  return NodeMap::make(tailnet)->routed(address(text));
}

/// -1: nobody.
int node_at(const NodeMap& map, std::string_view text) {
  const auto node = map.node_at(address(text));
  return node ? static_cast<int>(*node) : -1;
}
int owner(const NodeMap& map, std::string_view text) {
  const auto node = map.route_owner(address(text));
  return node ? static_cast<int>(*node) : -1;
}
int behind(const NodeMap& map, std::string_view text) {
  const auto node = map.node_behind(endpoint(text));
  return node ? static_cast<int>(*node) : -1;
}

// ---- whose address

TEST_CASE("a node is found at its own addresses and nowhere else", "[unit]") {
  const auto map = NodeMap::make(small_tailnet());
  CHECK(map->size() == 3);
  CHECK(node_at(*map, "100.64.0.1") == 0);
  CHECK(node_at(*map, "fd7a:115c:a1e0::1") == 0);
  CHECK(node_at(*map, "100.64.0.2") == 1);
  CHECK(node_at(*map, "fd7a:115c:a1e0::2") == 1);
  CHECK(node_at(*map, "100.64.0.3") == 2);
  CHECK(node_at(*map, "100.64.0.4") == -1);
  CHECK(node_at(*map, "fd7a:115c:a1e0::3") == -1);
  CHECK(node_at(*map, "10.20.0.1") == -1);
  CHECK(node_at(*map, "::ffff:100.64.0.2") == -1);
  CHECK(node_at(*map, "") == -1);
  const auto node = [&](std::string_view text) {
    const auto found = map->node_at(address(text));
    return found ? &map->node(*found) : nullptr;
  };
  CHECK(node("100.64.0.1") == &map->tailnet().self);
  CHECK(node("fd7a:115c:a1e0::2") == &map->tailnet().peers[0]);
  CHECK(node("100.64.0.3") == &map->tailnet().peers[1]);
}

TEST_CASE("of nodes that claim one address the first has it, this node before the others", "[unit]") {
  Tailnet tailnet = small_tailnet();
  tailnet.peers[0].addresses.push_back(address("100.64.0.1"));
  tailnet.peers[1].addresses.push_back(address("100.64.0.2"));
  tailnet.peers[1].addresses.push_back({});
  const auto map = NodeMap::make(tailnet);
  CHECK(node_at(*map, "100.64.0.1") == 0);
  CHECK(node_at(*map, "100.64.0.2") == 1);
  CHECK(node_at(*map, "") == -1);
}

TEST_CASE("a tailnet of nobody knows nobody", "[unit]") {
  const auto map = NodeMap::make({});
  CHECK(map->size() == 1);
  CHECK(node_at(*map, "0.0.0.0") == -1);
  CHECK(node_at(*map, "::") == -1);
  CHECK(owner(*map, "10.0.0.1") == -1);
  CHECK(behind(*map, "192.0.2.1:41641") == -1);
  CHECK_FALSE(map->routed(address("100.64.0.1")));
}

TEST_CASE("routes are known where somebody told of the tailnet and of the settings", "[unit]") {
  Tailnet tailnet = small_tailnet();
  CHECK(NodeMap::make(tailnet)->knows_routes());
  tailnet.source = Tailnet::Source::kFile;
  CHECK(NodeMap::make(tailnet)->knows_routes());
  tailnet.prefs.reset();
  CHECK_FALSE(NodeMap::make(tailnet)->knows_routes());
  tailnet.prefs = RoutingPrefs{};
  tailnet.source = Tailnet::Source::kNone;
  CHECK_FALSE(NodeMap::make(tailnet)->knows_routes());
}

// ---- R

TEST_CASE("own addresses, tailscaled's two and those of hosted services are routed", "[unit]") {
  Tailnet tailnet = small_tailnet();
  tailnet.peers.clear();  // or the whole range of IPv6 would be
  CHECK(routed(tailnet, "100.64.0.1"));
  CHECK(routed(tailnet, "fd7a:115c:a1e0::1"));
  CHECK(routed(tailnet, "100.100.100.100"));
  CHECK(routed(tailnet, "fd7a:115c:a1e0::53"));
  CHECK_FALSE(routed(tailnet, "fd7a:115c:a1e0::52"));
  CHECK_FALSE(routed(tailnet, "100.99.0.7"));
  CHECK_FALSE(routed(tailnet, "fd7a:115c:a1e0::77"));
  tailnet.service_addresses = addresses({"100.99.0.7", "fd7a:115c:a1e0::77"});
  CHECK(routed(tailnet, "100.99.0.7"));
  CHECK(routed(tailnet, "fd7a:115c:a1e0::77"));
  CHECK_FALSE(routed(tailnet, "100.99.0.8"));
}

TEST_CASE("what this node advertises is routed, but not everything as an exit node", "[unit]") {
  Tailnet tailnet = small_tailnet();
  prefs_of(tailnet).advertised_routes = prefixes({"192.168.7.0/24", "0.0.0.0/0", "::/0"});
  CHECK(routed(tailnet, "192.168.7.9"));
  CHECK_FALSE(routed(tailnet, "192.168.8.9"));
  CHECK_FALSE(routed(tailnet, "2001:db8::1"));
}

TEST_CASE("with prefs, what others were told of this node does not count; without, it does", "[unit]") {
  Tailnet tailnet = small_tailnet();
  tailnet.self.primary_routes = prefixes({"192.168.7.0/24", "0.0.0.0/0"});
  tailnet.self.allowed_ips.push_back(prefix("192.168.8.0/24"));
  CHECK_FALSE(routed(tailnet, "192.168.7.9"));
  CHECK_FALSE(routed(tailnet, "192.168.8.9"));
  tailnet.prefs.reset();
  CHECK(routed(tailnet, "192.168.7.9"));
  CHECK(routed(tailnet, "192.168.8.9"));
  CHECK_FALSE(routed(tailnet, "192.168.9.9"));
}

TEST_CASE("addresses of peers are routed whether routes are accepted or not", "[unit]") {
  Tailnet tailnet = small_tailnet();
  for (const bool accept : {false, true}) {
    prefs_of(tailnet).accept_routes = accept;
    CHECK(routed(tailnet, "100.64.0.2"));
    CHECK(routed(tailnet, "100.64.0.3"));
    CHECK_FALSE(routed(tailnet, "100.64.0.4"));
  }
}

TEST_CASE("subnets of peers are routed where routes are accepted, or where nobody knows", "[unit]") {
  Tailnet tailnet = small_tailnet();
  CHECK_FALSE(routed(tailnet, "10.20.3.4"));
  CHECK_FALSE(routed(tailnet, "fd12::1"));
  prefs_of(tailnet).accept_routes = true;
  CHECK(routed(tailnet, "10.20.3.4"));
  CHECK(routed(tailnet, "fd12::1"));
  CHECK_FALSE(routed(tailnet, "10.21.0.0"));
  CHECK_FALSE(routed(tailnet, "8.8.8.8"));  // /0 never
  CHECK_FALSE(routed(tailnet, "2001:db8::1"));
  tailnet.prefs.reset();
  CHECK(routed(tailnet, "10.20.3.4"));
  CHECK_FALSE(routed(tailnet, "8.8.8.8"));
}

TEST_CASE("a single address behind a peer is a subnet unless it is Tailscale's or its own", "[unit]") {
  Tailnet tailnet = small_tailnet();
  tailnet.peers[1].allowed_ips = prefixes({"192.0.2.1/32", "198.51.100.1/32", "100.99.0.7/32",
                                           "2001:db8::1/128", "2001:db8::2/128", "100.115.92.7/32"});
  tailnet.peers[1].addresses = addresses({"192.0.2.1", "2001:db8::1"});
  tailnet.peers.erase(tailnet.peers.begin());
  CHECK(routed(tailnet, "192.0.2.1"));
  CHECK(routed(tailnet, "2001:db8::1"));
  CHECK(routed(tailnet, "100.99.0.7"));  // a VIP service
  CHECK_FALSE(routed(tailnet, "198.51.100.1"));
  CHECK_FALSE(routed(tailnet, "2001:db8::2"));
  CHECK_FALSE(routed(tailnet, "100.115.92.7"));  // ChromeOS
  prefs_of(tailnet).accept_routes = true;
  CHECK(routed(tailnet, "198.51.100.1"));
  CHECK(routed(tailnet, "2001:db8::2"));
  CHECK(routed(tailnet, "100.115.92.7"));
}

TEST_CASE("a peer with addresses but without allowed IPs is not routed", "[unit]") {
  Tailnet tailnet = small_tailnet();
  tailnet.peers[1].allowed_ips.clear();
  CHECK_FALSE(routed(tailnet, "100.64.0.3"));
}

TEST_CASE("one IPv6 address of a peer routes all of Tailscale's range, an IPv4 one itself only", "[unit]") {
  Tailnet tailnet = small_tailnet();
  CHECK(routed(tailnet, "fd7a:115c:a1e0:ffff::9"));
  CHECK(routed(tailnet, "fd7a:115c:a1e0:b1a::9"));
  CHECK_FALSE(routed(tailnet, "fd7a:115c:a1e1::"));
  CHECK_FALSE(routed(tailnet, "100.64.0.9"));
  tailnet.peers[0].allowed_ips = prefixes({"100.64.0.2/32"});
  CHECK_FALSE(routed(tailnet, "fd7a:115c:a1e0:ffff::9"));
  // A block of the range is a subnet like any other.
  tailnet.peers[0].allowed_ips = prefixes({"fd7a:115c:a1e0:b1a::/96"});
  CHECK_FALSE(routed(tailnet, "fd7a:115c:a1e0:b1a::9"));
  prefs_of(tailnet).accept_routes = true;
  CHECK(routed(tailnet, "fd7a:115c:a1e0:b1a::9"));
  CHECK_FALSE(routed(tailnet, "fd7a:115c:a1e0:ffff::9"));
}

TEST_CASE("an expired peer routes nothing, but is still who it is", "[unit]") {
  Tailnet tailnet = small_tailnet();
  prefs_of(tailnet).accept_routes = true;
  tailnet.peers[0].expired = true;
  CHECK_FALSE(routed(tailnet, "100.64.0.2"));
  CHECK_FALSE(routed(tailnet, "fd7a:115c:a1e0::2"));
  CHECK_FALSE(routed(tailnet, "10.20.3.4"));
  CHECK(routed(tailnet, "100.64.0.3"));
  CHECK(node_at(*NodeMap::make(tailnet), "100.64.0.2") == 1);
}

TEST_CASE("more than 10,000 single IPv4 addresses of peers are routed as 100.64.0.0/10", "[unit]") {
  Tailnet tailnet = small_tailnet();
  tailnet.peers.resize(1);
  auto& allowed = tailnet.peers[0].allowed_ips;
  allowed = prefixes({"192.0.2.1/32"});
  tailnet.peers[0].addresses = addresses({"192.0.2.1"});  // not of the range: neither counted nor lost
  for (unsigned at = 0; at < kSingleRoutesMax; ++at) {
    allowed.push_back(Prefix::single(
        Address::v4({100, 80, static_cast<std::uint8_t>(at >> 8U), static_cast<std::uint8_t>(at)})));
  }
  CHECK(routed(tailnet, "100.80.0.9"));
  CHECK_FALSE(routed(tailnet, "100.127.255.255"));
  CHECK(routed(tailnet, "192.0.2.1"));
  allowed.push_back(prefix("100.64.0.9/32"));
  CHECK(routed(tailnet, "100.64.0.0"));
  CHECK(routed(tailnet, "100.127.255.255"));
  CHECK_FALSE(routed(tailnet, "100.128.0.0"));
  CHECK_FALSE(routed(tailnet, "100.63.255.255"));
  CHECK(routed(tailnet, "192.0.2.1"));
}

TEST_CASE("the LAN is routed through an exit node unless it is allowed to be used directly", "[unit]") {
  Tailnet tailnet = small_tailnet();
  tailnet.local_prefixes =
      prefixes({"192.168.1.0/24", "2001:db8:1::/64", "192.168.2.1/32", "100.64.0.0/16", "0.0.0.0/0"});
  CHECK_FALSE(routed(tailnet, "192.168.1.9"));
  const auto check_lan = [&](bool lan) {
    CHECK(routed(tailnet, "192.168.1.9") == lan);
    CHECK(routed(tailnet, "2001:db8:1::9") == lan);
    CHECK_FALSE(routed(tailnet, "192.168.2.1"));  // single
    CHECK_FALSE(routed(tailnet, "100.64.0.77"));  // Tailscale's
    CHECK_FALSE(routed(tailnet, "8.8.8.8"));
  };
  prefs_of(tailnet).exit_node = true;
  check_lan(true);
  prefs_of(tailnet).exit_node_allow_lan = true;
  check_lan(false);
  prefs_of(tailnet).exit_node = false;
  tailnet.exit_node_in_use = true;
  check_lan(false);
  prefs_of(tailnet).exit_node_allow_lan = false;
  check_lan(true);
  tailnet.prefs.reset();
  check_lan(true);
  tailnet.exit_node_in_use = false;
  check_lan(false);
}

// ---- owners

TEST_CASE("a subnet belongs to the peer with the longest prefix, /0 to nobody", "[unit]") {
  Tailnet tailnet = small_tailnet();
  tailnet.peers[1].allowed_ips = prefixes({"100.64.0.3/32", "10.20.30.0/24", "10.20.0.0/16"});
  const auto map = NodeMap::make(tailnet);
  CHECK(owner(*map, "10.20.3.4") == 1);
  CHECK(owner(*map, "10.20.30.4") == 2);
  CHECK(owner(*map, "10.20.31.0") == 1);
  CHECK(owner(*map, "100.64.0.3") == 2);
  CHECK(owner(*map, "100.64.0.1") == -1);
  CHECK(owner(*map, "8.8.8.8") == -1);
  CHECK(owner(*map, "2001:db8::1") == -1);
  CHECK(owner(*map, "") == -1);
}

// ---- endpoints

TEST_CASE("an endpoint in use beats one that was used before, else the first peer has it", "[unit]") {
  Tailnet tailnet = small_tailnet();
  tailnet.peers[0].endpoints = {endpoint("203.0.113.1:41641"), endpoint("203.0.113.2:41641"),
                                endpoint("203.0.113.3:41641")};
  tailnet.peers[1].endpoints = {endpoint("203.0.113.2:41641"), endpoint("203.0.113.3:41641"),
                                endpoint("[2001:db8::1]:41641")};
  const auto map = NodeMap::make(tailnet);
  CHECK(behind(*map, "203.0.113.1:41641") == 1);
  CHECK(behind(*map, "203.0.113.2:41641") == 2);
  CHECK(behind(*map, "203.0.113.3:41641") == 1);
  CHECK(behind(*map, "[2001:db8::1]:41641") == 2);
  CHECK(behind(*map, "203.0.113.1:41642") == -1);
  CHECK(behind(*map, "[::ffff:203.0.113.1]:41641") == -1);
  CHECK(behind(*map, "203.0.113.4:41641") == -1);
}

// ---- random tailnets

std::optional<std::uint32_t> number(std::optional<NodeIndex> node) {
  if (!node) return std::nullopt;
  return static_cast<std::uint32_t>(*node);
}

TEST_CASE("over random tailnets every answer is that of the slow reference", "[unit]") {
  RandomTailnet random(42);
  for (int run = 0; run < 2000; ++run) {
    const Tailnet tailnet = random.tailnet();
    const auto map = NodeMap::make(tailnet);
    const auto routes = reference::routes(tailnet);
    for (int look = 0; look < 100; ++look) {
      const Address asked = random.any_address();
      INFO(run << ", " << look << ": " << hex(asked));
      REQUIRE(number(map->node_at(asked)) == reference::node_at(tailnet, asked));
      REQUIRE(map->routed(asked) == reference::routed(routes, asked));
      REQUIRE(number(map->route_owner(asked)) == reference::route_owner(tailnet, asked));
      const Endpoint from = random.any_endpoint();
      REQUIRE(number(map->node_behind(from)) == reference::node_behind(tailnet, from));
    }
  }
}

TEST_CASE("each of 20,000 addresses is found, and their neighbours are not", "[unit]") {
  Tailnet tailnet{.source = Tailnet::Source::kFile};
  tailnet.peers.resize(10'000);
  const auto made = [](unsigned peer, bool v6) {
    const auto high = static_cast<std::uint8_t>(peer >> 8U);
    const auto low = static_cast<std::uint8_t>(peer);
    if (!v6) return Address::v4({100, 70, high, low});
    return Address::v6({0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, high, low});
  };
  for (unsigned peer = 0; peer < 10'000; ++peer) {
    tailnet.peers[peer].addresses = {made(peer, false), made(peer, true)};
  }
  const auto map = NodeMap::make(std::move(tailnet));
  for (unsigned peer = 0; peer < 12'000; ++peer) {
    const auto expected = peer < 10'000 ? std::optional(peer + 1) : std::nullopt;
    REQUIRE(number(map->node_at(made(peer, false))) == expected);
    REQUIRE(number(map->node_at(made(peer, true))) == expected);
  }
}

}  // namespace
}  // namespace flowtally::model
