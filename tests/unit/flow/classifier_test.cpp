// Goal: each kind of traffic is in the class in which Tailscale's own records have it. Method: one small
// tailnet, and tables of connections that read as what they are; every setting beside its opposite.
// Orientation is that of the records: `src` is our side of the device.
#include "flow/classifier.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "unit/model/texts.hpp"

namespace flowtally::flow {
namespace {

using model::address;
using model::addresses;
using model::Counters;
using model::Flow;
using model::NodeMap;
using model::prefixes;
using model::Tailnet;
using model::TrafficClass;

constexpr auto kVirtual = TrafficClass::kVirtual;
constexpr auto kSubnet = TrafficClass::kSubnet;
constexpr auto kExit = TrafficClass::kExit;
constexpr auto kPhysical = TrafficClass::kPhysical;
constexpr ClassifyOptions kPlain{.anonymise_exit = false};
constexpr Counters kSome{.tx_packets = 1, .tx_bytes = 100, .rx_packets = 2, .rx_bytes = 200};

/// This node at .1 serves 192.168.7.0/24 and hosts a service at 100.99.0.1. Peer .2 serves 10.20.0.0/16, a
/// 4via6 subnet and a service at 100.99.0.7, and is an exit node. Peer .3 is nothing but a peer; that at .4
/// has expired.
Tailnet lab() {
  Tailnet tailnet{.source = Tailnet::Source::kTailscaled};
  tailnet.self.addresses = addresses({"100.64.0.1", "fd7a:115c:a1e0::1"});
  tailnet.self.allowed_ips = prefixes({"100.64.0.1/32", "fd7a:115c:a1e0::1/128", "192.168.7.0/24"});
  tailnet.peers.resize(3);
  tailnet.peers[0].addresses = addresses({"100.64.0.2", "fd7a:115c:a1e0::2"});
  tailnet.peers[0].allowed_ips =
      prefixes({"100.64.0.2/32", "fd7a:115c:a1e0::2/128", "10.20.0.0/16", "fd7a:115c:a1e0:b1a:0:7::/96",
                "100.99.0.7/32", "fd7a:115c:a1e0::99/128", "0.0.0.0/0", "::/0"});
  tailnet.peers[1].addresses = addresses({"100.64.0.3", "fd7a:115c:a1e0::3"});
  tailnet.peers[1].allowed_ips = prefixes({"100.64.0.3/32", "fd7a:115c:a1e0::3/128"});
  tailnet.peers[2].addresses = addresses({"100.64.0.4"});
  tailnet.peers[2].allowed_ips = prefixes({"100.64.0.4/32", "10.40.0.0/16"});
  tailnet.peers[2].expired = true;
  tailnet.prefs = model::RoutingPrefs{.accept_routes = true};
  tailnet.prefs->advertised_routes = prefixes({"192.168.7.0/24", "0.0.0.0/0", "::/0"});
  tailnet.service_addresses = addresses({"100.99.0.1", "fd7a:115c:a1e0::91"});
  tailnet.local_prefixes = prefixes({"192.168.1.0/24", "fd44::/64"});
  return tailnet;
}

/// The settings, made where there are none.
model::RoutingPrefs& prefs_of(Tailnet& tailnet) {
  if (!tailnet.prefs) tailnet.prefs.emplace();
  return *tailnet.prefs;
}

Flow flow(std::string_view src, std::string_view dst, std::uint16_t port = 443) {
  return {.local = {.address = address(src), .port = static_cast<std::uint16_t>(src.empty() ? 0 : 40000)},
          .remote = {.address = address(dst), .port = src.empty() ? std::uint16_t{0} : port},
          .proto = 6,
          .counters = kSome};
}

/// Flows without a local end are coarse.
model::ClassifiedWindow classified(const Tailnet& tailnet, std::vector<Flow> flows,
                                   const ClassifyOptions& options = kPlain) {
  model::Window window;
  std::ranges::sort(flows, model::record_order);
  for (const Flow& each : flows) (each.local.address.valid() ? window.flows : window.coarse).push_back(each);
  return classify(window, NodeMap::make(tailnet), options);
}

/// The class in which the only flow of the window is, unchanged.
TrafficClass class_of(const Tailnet& tailnet, const Flow& only) {
  const auto window = classified(tailnet, {only});
  for (const TrafficClass which : {kVirtual, kSubnet, kExit, kPhysical}) {
    if (window.of(which) == std::vector{only}) return which;
  }
  throw std::logic_error("the flow is in no class");
}

struct Row {
  std::string_view what;
  std::string_view src;
  std::string_view dst;
  TrafficClass expected;
};

void check(const Tailnet& tailnet, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO(row.what << ": " << row.src << " -> " << row.dst);
    CHECK(static_cast<int>(class_of(tailnet, flow(row.src, row.dst))) == static_cast<int>(row.expected));
  }
}

// ---- the six rules

TEST_CASE("traffic of this node has the class that its other end gives it", "[unit]") {
  check(lab(),
        {
            {"a peer", "100.64.0.1", "100.64.0.3", kVirtual},
            {"a peer by IPv6", "fd7a:115c:a1e0::1", "fd7a:115c:a1e0::3", kVirtual},
            {"itself", "100.64.0.1", "100.64.0.1", kVirtual},
            {"itself by its other address", "100.64.0.1", "fd7a:115c:a1e0::1", kVirtual},
            {"a peer that has expired", "100.64.0.1", "100.64.0.4", kVirtual},
            {"a subnet of a peer", "100.64.0.1", "10.20.3.4", kSubnet},
            {"a subnet of a peer that has expired", "100.64.0.1", "10.40.3.4", kExit},
            {"4via6", "fd7a:115c:a1e0::1", "fd7a:115c:a1e0:b1a:0:7:a14:304", kSubnet},
            {"a service of a peer", "100.64.0.1", "100.99.0.7", kSubnet},
            {"a service of a peer by IPv6", "fd7a:115c:a1e0::1", "fd7a:115c:a1e0::99", kSubnet},
            {"a service hosted here", "100.64.0.1", "100.99.0.1", kSubnet},
            {"a subnet served here", "100.64.0.1", "192.168.7.9", kSubnet},
            {"the internet", "100.64.0.1", "8.8.8.8", kExit},
            {"the internet by IPv6", "fd7a:115c:a1e0::1", "2001:db8::8", kExit},
            {"a private address without a route", "100.64.0.1", "192.168.99.1", kExit},
            {"an unknown address of the range", "100.64.0.1", "100.64.9.9", kExit},
            {"an unknown ULA: the range is one route", "fd7a:115c:a1e0::1", "fd7a:115c:a1e0::999", kSubnet},
            {"ChromeOS's part of the range", "100.64.0.1", "100.115.92.7", kExit},
        });
}

TEST_CASE("traffic that this node forwards to a peer is subnet or exit by where it comes from", "[unit]") {
  check(lab(), {
                   {"from the subnet served here", "192.168.7.9", "100.64.0.3", kSubnet},
                   {"from the internet, as an exit node", "8.8.8.8", "100.64.0.3", kExit},
                   {"from the internet by IPv6", "2001:db8::8", "fd7a:115c:a1e0::3", kExit},
                   {"from a private address not advertised", "192.168.8.9", "100.64.0.3", kExit},
                   {"from another peer", "100.64.0.2", "100.64.0.3", kSubnet},
                   {"from a peer that has expired", "100.64.0.4", "100.64.0.3", kExit},
                   {"from a subnet to a peer that has expired", "192.168.7.9", "100.64.0.4", kSubnet},
                   {"from a service hosted here", "100.99.0.1", "100.64.0.3", kSubnet},
                   {"from the subnet to this node", "192.168.7.9", "100.64.0.1", kSubnet},
                   {"from an unknown ULA", "fd7a:115c:a1e0::999", "fd7a:115c:a1e0::3", kSubnet},
               });
}

TEST_CASE("traffic between two strangers is in the exit list: sites that are not masqueraded", "[unit]") {
  check(lab(), {
                   {"two subnets", "192.168.7.9", "10.20.3.4", kExit},
                   {"a subnet and the internet", "192.168.7.9", "8.8.8.8", kExit},
                   {"two unknown addresses of the range", "100.64.9.9", "100.64.9.8", kExit},
                   {"a peer and a subnet", "100.64.0.3", "10.20.3.4", kExit},
                   {"a peer and a stranger", "100.64.0.3", "8.8.8.8", kExit},
               });
}

TEST_CASE("without accepting routes a peer's subnet is exit traffic, its services are not", "[unit]") {
  Tailnet tailnet = lab();
  prefs_of(tailnet).accept_routes = false;
  check(tailnet, {
                     {"a subnet of a peer", "100.64.0.1", "10.20.3.4", kExit},
                     {"a service of a peer", "100.64.0.1", "100.99.0.7", kSubnet},
                     {"a peer", "100.64.0.1", "100.64.0.2", kVirtual},
                     {"the subnet served here", "192.168.7.9", "100.64.0.3", kSubnet},
                 });
}

TEST_CASE("the LAN of the client of an exit node is subnet traffic", "[unit]") {
  Tailnet tailnet = lab();
  const std::vector<Row> direct = {{"the LAN", "100.64.0.1", "192.168.1.7", kExit},
                                   {"the LAN by IPv6", "fd7a:115c:a1e0::1", "fd44::7", kExit}};
  const std::vector<Row> through = {{"the LAN", "100.64.0.1", "192.168.1.7", kSubnet},
                                    {"the LAN by IPv6", "fd7a:115c:a1e0::1", "fd44::7", kSubnet},
                                    {"the internet", "100.64.0.1", "8.8.8.8", kExit}};
  check(tailnet, direct);
  prefs_of(tailnet).exit_node = true;
  check(tailnet, through);
  prefs_of(tailnet).exit_node_allow_lan = true;
  check(tailnet, direct);
}

TEST_CASE("a coarse flow is taken as this node's own; without any end it is virtual", "[unit]") {
  check(lab(), {
                   {"a peer", "", "100.64.0.3", kVirtual},
                   {"this node", "", "100.64.0.1", kVirtual},
                   {"a subnet", "", "10.20.3.4", kSubnet},
                   {"an unknown address of the range", "", "100.64.9.9", kExit},
                   {"the internet", "", "8.8.8.8", kExit},
                   {"nobody knows", "", "", kVirtual},
               });
}

// ---- by address ranges

TEST_CASE("where nobody told anything, ranges decide", "[unit]") {
  check({}, {
                {"the range", "100.64.0.1", "100.64.9.9", kVirtual},
                {"the range by IPv6", "fd7a:115c:a1e0::1", "fd7a:115c:a1e0::999", kVirtual},
                {"10/8", "100.64.0.1", "10.255.255.255", kSubnet},
                {"behind 10/8", "100.64.0.1", "11.0.0.0", kExit},
                {"before 172.16/12", "100.64.0.1", "172.15.255.255", kExit},
                {"172.16/12", "100.64.0.1", "172.16.0.0", kSubnet},
                {"its end", "100.64.0.1", "172.31.255.255", kSubnet},
                {"behind 172.16/12", "100.64.0.1", "172.32.0.0", kExit},
                {"192.168/16", "100.64.0.1", "192.168.255.255", kSubnet},
                {"behind 192.168/16", "100.64.0.1", "192.169.0.0", kExit},
                {"link-local", "100.64.0.1", "169.254.169.254", kSubnet},
                {"behind link-local", "100.64.0.1", "169.255.0.0", kExit},
                {"ULA", "fd7a:115c:a1e0::1", "fc00::", kSubnet},
                {"end of ULA", "fd7a:115c:a1e0::1", "fdff:ffff::", kSubnet},
                {"behind ULA", "fd7a:115c:a1e0::1", "fe00::", kExit},
                {"link-local by IPv6", "fd7a:115c:a1e0::1", "fe80::1", kSubnet},
                {"end of link-local", "fd7a:115c:a1e0::1", "febf:ffff::", kSubnet},
                {"behind link-local by IPv6", "fd7a:115c:a1e0::1", "fec0::", kExit},
                {"a private source", "10.0.0.1", "100.64.0.1", kSubnet},
                {"a private source and the internet", "10.0.0.1", "8.8.8.8", kSubnet},
                {"the internet and a private end", "8.8.8.8", "10.0.0.1", kSubnet},
                {"a source in the internet", "8.8.8.8", "100.64.0.1", kExit},
                {"ChromeOS's part of the range", "100.64.0.1", "100.115.92.7", kExit},
                {"coarse, the range", "", "100.64.9.9", kVirtual},
                {"coarse, private", "", "10.0.0.1", kSubnet},
                {"coarse, the internet", "", "8.8.8.8", kExit},
                {"coarse, nobody knows", "", "", kVirtual},
            });
}

TEST_CASE("without prefs ranges decide too, but what is routed is known", "[unit]") {
  Tailnet tailnet = lab();
  tailnet.prefs.reset();
  tailnet.self.primary_routes = prefixes({"192.168.6.0/24"});
  check(tailnet, {
                     {"a peer", "100.64.0.1", "100.64.0.3", kVirtual},
                     {"an unknown address of the range", "100.64.0.1", "100.64.9.9", kVirtual},
                     {"a service", "100.64.0.1", "100.99.0.7", kVirtual},
                     {"a subnet of a peer", "100.64.0.1", "10.20.3.4", kSubnet},
                     {"a private address without a route", "100.64.0.1", "10.99.0.1", kExit},
                     {"a subnet served here", "192.168.6.9", "100.64.0.3", kSubnet},
                     {"another one", "192.168.7.9", "100.64.0.3", kSubnet},
                     {"two sites", "192.168.7.9", "10.20.3.4", kSubnet},
                     {"the internet", "100.64.0.1", "8.8.8.8", kExit},
                     {"coarse, a peer", "", "100.64.0.3", kVirtual},
                     {"coarse, a subnet", "", "10.20.3.4", kSubnet},
                     {"coarse, the internet", "", "8.8.8.8", kExit},
                 });
}

// ---- anonymisation

Flow anonymous(std::string_view src, std::string_view dst, std::uint64_t times) {
  Flow row{.local = {.address = address(src), .port = 0},
           .remote = {.address = address(dst), .port = 0},
           .proto = 0};
  for (; times > 0; --times) row.counters += kSome;
  return row;
}

constexpr ClassifyOptions kAnonymise{.anonymise_exit = true};

TEST_CASE("the client's exit rows have itself only and are one for each IP version", "[unit]") {
  const auto window = classified(lab(),
                                 {flow("100.64.0.1", "8.8.8.8"), flow("100.64.0.1", "8.8.8.8", 80),
                                  flow("100.64.0.1", "9.9.9.9"), flow("fd7a:115c:a1e0::1", "2001:db8::8"),
                                  flow("fd7a:115c:a1e0::1", "2001:db8::9"), flow("", "8.8.4.4")},
                                 kAnonymise);
  CHECK(window.of(kExit) == std::vector{anonymous("", "", 1), anonymous("100.64.0.1", "", 3),
                                        anonymous("fd7a:115c:a1e0::1", "", 2)});
}

TEST_CASE("the exit node's rows have the peer only, those of two sites nobody", "[unit]") {
  const auto window =
      classified(lab(),
                 {flow("8.8.8.8", "100.64.0.3"), flow("9.9.9.9", "100.64.0.3"), flow("8.8.8.8", "100.64.0.2"),
                  flow("192.168.7.9", "10.20.3.4"), flow("192.168.7.8", "10.20.3.4"),
                  flow("2001:db8::8", "2001:db8::9"), flow("2001:db8::8", "fd7a:115c:a1e0::3")},
                 kAnonymise);
  CHECK(window.of(kExit) == std::vector{anonymous("", "", 3), anonymous("", "100.64.0.2", 1),
                                        anonymous("", "100.64.0.3", 2),
                                        anonymous("", "fd7a:115c:a1e0::3", 1)});
}

TEST_CASE("an exit row between two nodes keeps both, an unknown address of the range is nobody", "[unit]") {
  const auto window = classified(
      lab(), {flow("100.64.0.4", "100.64.0.3"), flow("100.64.0.1", "100.64.9.9"), flow("", "100.64.9.9")},
      kAnonymise);
  CHECK(window.of(kExit) == std::vector{anonymous("", "", 1), anonymous("100.64.0.1", "", 1),
                                        anonymous("100.64.0.4", "100.64.0.3", 1)});
}

TEST_CASE("where nobody told anything, addresses of the range are kept", "[unit]") {
  const auto window = classified({},
                                 {flow("100.64.0.1", "8.8.8.8"), flow("100.64.0.1", "9.9.9.9"),
                                  flow("8.8.8.8", "100.64.0.7"), flow("8.8.8.8", "9.9.9.9")},
                                 kAnonymise);
  CHECK(window.of(kExit) ==
        std::vector{anonymous("", "", 1), anonymous("", "100.64.0.7", 1), anonymous("100.64.0.1", "", 2)});
}

TEST_CASE("exit rows stay whole if the option or the tailnet's policy says so", "[unit]") {
  const std::vector rows = {flow("100.64.0.1", "8.8.8.8"), flow("100.64.0.1", "9.9.9.9")};
  CHECK(classified(lab(), rows, kPlain).of(kExit) == rows);
  Tailnet tailnet = lab();
  tailnet.log_exit_flows = true;
  CHECK(classified(tailnet, rows, kAnonymise).of(kExit) == rows);
}

TEST_CASE("only exit rows are anonymised", "[unit]") {
  const std::vector virtual_rows = {flow("100.64.0.1", "100.64.0.3"), flow("100.64.0.1", "100.64.0.3", 444)};
  const std::vector subnet_rows = {flow("100.64.0.1", "10.20.3.4"), flow("192.168.7.9", "100.64.0.3")};
  std::vector all = virtual_rows;
  all.insert(all.end(), subnet_rows.begin(), subnet_rows.end());
  const auto window = classified(lab(), all, kAnonymise);
  CHECK(window.of(kVirtual) == virtual_rows);
  CHECK(window.of(kSubnet) == subnet_rows);
  CHECK(window.of(kExit).empty());
}

// ---- the window

TEST_CASE("a window keeps its times, totals and nodes, and says what of it is coarse", "[unit]") {
  model::Window window{
      .start = {.boot_ns = 1, .wall_ns = 2}, .end = {.boot_ns = 3, .wall_ns = 4}, .epoch = 5};
  window.coarse = {flow("", ""), flow("", "8.8.8.8")};
  window.flows = {flow("100.64.0.1", "100.64.0.3")};
  window.totals.hook = window.accounted();
  window.totals.device_dropped = 9;
  window.underlay = {.counted = true, .hook = kSome, .disco = kSome};
  const auto nodes = NodeMap::make(lab());
  const auto result = classify(window, nodes, kPlain);
  CHECK(result.start == window.start);
  CHECK(result.end == window.end);
  CHECK(result.epoch == 5);
  CHECK(result.nodes == nodes);
  CHECK(result.coarse == kSome + kSome);
  CHECK(result.totals.hook == kSome + kSome + kSome);
  CHECK(result.totals.device_dropped == 9);
  CHECK(result.underlay == window.underlay);
  CHECK(result.of(kPhysical).empty());
}

Flow physical(std::string_view remote) {
  return {.local = {}, .remote = model::endpoint(remote), .proto = 0, .counters = kSome};
}

TEST_CASE("a physical row has the peer's first address; the rest and strangers are one sum", "[unit]") {
  Tailnet tailnet = lab();
  tailnet.peers[0].endpoints = {model::endpoint("203.0.113.9:41641"), model::endpoint("[2001:db8::9]:41641")};
  tailnet.peers[1].endpoints = {model::endpoint("203.0.113.8:41641")};
  tailnet.peers[2].endpoints = {model::endpoint("203.0.113.6:41641")};
  tailnet.peers[2].addresses.clear();
  model::Window window;
  window.physical = {physical("203.0.113.8:41641"), physical("203.0.113.9:41641"),
                     physical("[2001:db8::9]:41641")};
  window.underlay = {.counted = true, .rest = kSome};
  const auto row = [](std::string_view peer, std::string_view remote) {
    Flow made = physical(remote);
    made.local.address = address(peer);
    return made;
  };
  const std::vector expected = {row("100.64.0.2", "203.0.113.9:41641"),
                                row("100.64.0.2", "[2001:db8::9]:41641"),
                                row("100.64.0.3", "203.0.113.8:41641")};
  const auto known = classify(window, NodeMap::make(tailnet), kAnonymise);
  CHECK(known.of(kPhysical) == expected);
  CHECK(known.underlay.unmapped == kSome);
  CHECK(known.underlay.rest == kSome);
  CHECK_FALSE(known.unknown_ends);

  window.physical.push_back(physical("203.0.113.6:41641"));  // a peer without any address
  const auto nameless = classify(window, NodeMap::make(tailnet), kAnonymise);
  CHECK(nameless.of(kPhysical) == expected);
  CHECK(nameless.underlay.unmapped == kSome + kSome);
  CHECK_FALSE(nameless.unknown_ends);

  window.physical.push_back(physical("203.0.113.7:41641"));
  const auto stranger = classify(window, NodeMap::make(tailnet), kAnonymise);
  CHECK(stranger.of(kPhysical) == expected);
  CHECK(stranger.underlay.unmapped == kSome + kSome + kSome);
  CHECK(stranger.unknown_ends);
}

TEST_CASE("an address of the range that is nobody's asks for news, and no other does", "[unit]") {
  const auto unknown = [](std::string_view src, std::string_view dst) {
    return classified(lab(), {flow(src, dst)}).unknown_ends;
  };
  for (const auto text : {"100.64.9.9", "fd7a:115c:a1e0::999", "100.127.255.255"}) {
    INFO(text);
    CHECK(unknown("100.64.0.1", text));
    CHECK(unknown(text, "100.64.0.1"));
    CHECK(unknown(text, "8.8.8.8"));
    CHECK(unknown("", text));
  }
  for (const auto text : {"100.64.0.3", "100.64.0.4", "fd7a:115c:a1e0::3", "8.8.8.8", "10.20.3.4",
                          "2001:db8::8", "100.115.92.7", "100.100.100.100", "fd7a:115c:a1e0::53",
                          "100.99.0.1", "fd7a:115c:a1e0::91", "100.99.0.7", "fd7a:115c:a1e0::99",
                          "fd7a:115c:a1e0:b1a:0:7:a14:304", "fd7a:115c:a1e0:b1a:0:8:a14:304"}) {
    INFO(text);
    CHECK_FALSE(unknown("100.64.0.1", text));
    CHECK_FALSE(unknown(text, "100.64.0.3"));
    CHECK_FALSE(unknown("", text));
  }
  CHECK_FALSE(unknown("", ""));
}

TEST_CASE("one unknown end among many known ones is enough, wherever it stands", "[unit]") {
  const std::vector known = {flow("100.64.0.1", "100.64.0.2"), flow("100.64.0.1", "100.64.0.3"),
                             flow("192.168.7.9", "100.64.0.3")};
  CHECK_FALSE(classified(lab(), known).unknown_ends);
  for (const auto& odd : {flow("100.64.0.0", "8.8.8.8"), flow("100.64.0.1", "100.64.0.200"),
                          flow("192.168.7.9", "100.64.9.9"), flow("100.65.0.0", "100.64.0.3")}) {
    std::vector rows = known;
    rows.push_back(odd);
    CHECK(classified(lab(), rows).unknown_ends);
  }
}

TEST_CASE("rows that follow each other from different ends are judged by their own", "[unit]") {
  // Neighbours in record order, so that what was found of one end must not be taken for the next.
  const auto window = classified(lab(), {flow("100.64.0.0", "100.64.0.3"), flow("100.64.0.1", "100.64.0.3"),
                                         flow("100.64.0.2", "100.64.0.3"), flow("100.64.0.4", "100.64.0.3")});
  CHECK(window.of(kVirtual) == std::vector{flow("100.64.0.1", "100.64.0.3")});
  CHECK(window.of(kSubnet) == std::vector{flow("100.64.0.2", "100.64.0.3")});
  CHECK(window.of(kExit) == std::vector{flow("100.64.0.0", "100.64.0.3"), flow("100.64.0.4", "100.64.0.3")});
}

}  // namespace
}  // namespace flowtally::flow
