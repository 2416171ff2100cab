// Goal: of the datagrams on a real wire exactly those of tailscaled are counted, by endpoint and to the byte,
// however they are batched; what is somebody else's is not, though it looks the same.
//
// Method: plain UDP sockets with tailscaled's mark stand in for its. Every datagram is known to the test, and
// has arrived before the next one is sent.
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "net/capture/node.hpp"
#include "net/capture/underlay_net.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using model::Counters;

const std::string kNode4 = "192.0.2.1:41641";
const std::string kNode6 = "[2001:db8::1]:41641";
const std::string kPeer4 = "192.0.2.2:4000";
const std::string kPeer6 = "[2001:db8::2]:4000";

Counters sent(std::uint64_t packets, std::uint64_t bytes) {
  return {.tx_packets = packets, .tx_bytes = bytes};
}
Counters received(std::uint64_t packets, std::uint64_t bytes) {
  return {.rx_packets = packets, .rx_bytes = bytes};
}

/// Traffic of one node socket with some peers, at random, and what is to be counted of it.
class RandomTraffic {
 public:
  RandomTraffic(const demo::NetNamespace& space, const std::string& node, const std::string& peer_address)
      : node_at_(node), node_(node, kTailscaledMark) {
    for (int port = 4000; port < 4004; ++port) {
      peers_at_.push_back(fmt::format("{}:{}", peer_address, port));
      peers_.emplace_back(space, peers_at_.back());
    }
    // Before anything arrives: that is how the port is learned.
    exchange(0, true, wireguard(160), 0, nullptr);
  }

  void round() {
    const std::size_t peer = below(peers_.size());
    const bool leaves = below(2) == 0;
    switch (below(8)) {
      case 0: return exchange(peer, leaves, disco(), 0, &disco_);
      case 1: return exchange(peer, leaves, stun(), 0, &stun_);
      case 2:
      case 3: return exchange(peer, leaves, wireguard(32 + 16 * below(80)), 0, nullptr);
      default: {
        const std::size_t segment = 32 + 16 * below(80);
        const std::size_t size = segment * (1 + below(60000 / segment > 60 ? 60 : 60000 / segment));
        const std::size_t last = below(2) == 0 ? 0 : 16 * (1 + below(segment / 16));
        return exchange(peer, leaves, wireguard(size + last), static_cast<std::uint16_t>(segment), nullptr);
      }
    }
  }

  [[nodiscard]] const ByEndpoint& endpoints() const noexcept { return endpoints_; }
  [[nodiscard]] const Counters& disco_sum() const noexcept { return disco_; }
  [[nodiscard]] const Counters& stun_sum() const noexcept { return stun_; }

 private:
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }

  void exchange(std::size_t peer, bool leaves, const Payload& payload, std::uint16_t segment, Counters* sum) {
    const std::size_t datagrams = segment == 0 ? 1 : (payload.size() + segment - 1) / segment;
    (leaves ? node_ : peers_[peer]).send(leaves ? peers_at_[peer] : node_at_, payload, segment);
    (leaves ? peers_[peer] : node_).expect(datagrams);
    Counters& into = sum != nullptr ? *sum : endpoints_[peers_at_[peer]];
    into += leaves ? sent(datagrams, payload.size()) : received(datagrams, payload.size());
  }

  std::string node_at_;
  UdpSocket node_;
  std::vector<std::string> peers_at_;
  std::vector<UdpSocket> peers_;
  std::mt19937 random_{20261123};
  ByEndpoint endpoints_;
  Counters disco_;
  Counters stun_;
};

}  // namespace

TEST_CASE("every datagram of tailscaled is counted by its endpoint, both ways, batches as what they are",
          "[net]") {
  for (const auto mode : {capture::AttachMode::kAuto, capture::AttachMode::kClsact}) {
    const Wire wire;
    wire.give_addresses();
    auto capturer = count_underlay({"under0"}, mode);
    RandomTraffic traffic4(wire.peer(), kNode4, "192.0.2.2");
    RandomTraffic traffic6(wire.peer(), kNode6, "[2001:db8::2]");
    ByEndpoint endpoints;
    model::Underlay underlay;
    for (int at = 0; at < 600; ++at) {
      traffic4.round();
      traffic6.round();
      if (at % 100 != 99) continue;
      const model::Window window = drain(*capturer);  // under way, so that the sums are of several windows
      for (const auto& [endpoint, counters] : physical_of(window)) endpoints[endpoint] += counters;
      underlay += window.underlay;
    }
    ByEndpoint expected = traffic4.endpoints();
    expected.insert(traffic6.endpoints().begin(), traffic6.endpoints().end());
    CHECK(endpoints == expected);
    CHECK(underlay.counted);
    CHECK(underlay.disco == traffic4.disco_sum() + traffic6.disco_sum());
    CHECK(underlay.stun == traffic4.stun_sum() + traffic6.stun_sum());
    CHECK(underlay.other.zero());
    CHECK(underlay.rest.zero());
    CHECK(underlay.tcp.zero());
  }
}

TEST_CASE("a fragmented datagram is one, with all its bytes", "[net]") {
  const Wire wire;
  wire.give_addresses();
  const UdpSocket node4(kNode4, kTailscaledMark);
  const UdpSocket node6(kNode6, kTailscaledMark);
  const UdpSocket peer4(wire.peer(), kPeer4);
  const UdpSocket peer6(wire.peer(), kPeer6);
  auto capturer = count_underlay({"under0"});
  pass(node4, peer4, kPeer4, wireguard(8000));
  pass(peer4, node4, kNode4, wireguard(6000));
  pass(node6, peer6, kPeer6, wireguard(8000));
  pass(peer6, node6, kNode6, wireguard(6000));
  CHECK(physical_of(drain(*capturer)) ==
        ByEndpoint{{kPeer4, sent(1, 8000) + received(1, 6000)}, {kPeer6, sent(1, 8000) + received(1, 6000)}});
}

TEST_CASE("a port is learned when tailscaled sends from it, and the next one when it takes another",
          "[net]") {
  const Wire wire;
  wire.give_addresses();
  const UdpSocket peer(wire.peer(), kPeer4);
  auto capturer = count_underlay({"under0"});
  for (const int port : {41641, 50123}) {
    const std::string at = fmt::format("192.0.2.1:{}", port);
    const UdpSocket node(at, kTailscaledMark);
    pass(peer, node, at, wireguard(96));
    CHECK(drain(*capturer).underlay.hook.zero());
    pass(node, peer, kPeer4, wireguard(160));
    pass(peer, node, at, wireguard(96));
    CHECK(physical_of(drain(*capturer)) == ByEndpoint{{kPeer4, sent(1, 160) + received(1, 96)}});
  }
}

TEST_CASE("a port that tailscaled told of counts from the first datagram that arrives", "[net]") {
  const Wire wire;
  wire.give_addresses();
  const UdpSocket peer(wire.peer(), kPeer4);
  const std::uint16_t ports[] = {41641};
  auto capturer = count_underlay({"under0"});

  SECTION("with its mark") {
    const UdpSocket node(kNode4, kTailscaledMark);
    capturer->set_tailscaled_sockets(ports, true);
    pass(peer, node, kNode4, wireguard(96));
    pass(node, peer, kPeer4, wireguard(160));
    CHECK(physical_of(drain(*capturer)) == ByEndpoint{{kPeer4, sent(1, 160) + received(1, 96)}});
  }
  SECTION("without, where it cannot mark its sockets") {
    const UdpSocket node(kNode4);
    capturer->set_tailscaled_sockets(ports, false);
    pass(peer, node, kNode4, wireguard(96));
    pass(node, peer, kPeer4, wireguard(160));
    CHECK(physical_of(drain(*capturer)) == ByEndpoint{{kPeer4, sent(1, 160) + received(1, 96)}});
  }
  SECTION("another program's on the same port of another node does not") {
    const UdpSocket node(kNode4);
    capturer->set_tailscaled_sockets(ports, true);
    pass(node, peer, kPeer4, wireguard(160));  // it has no mark, and with marks that is enough
    CHECK(drain(*capturer).underlay.hook.zero());
  }
}

TEST_CASE("datagrams of other programs are not counted, though they look like WireGuard", "[net]") {
  const Wire wire;
  wire.give_addresses();
  const UdpSocket tailscaled(kNode4, kTailscaledMark);
  const UdpSocket wireguard_of_another("192.0.2.1:51820");
  const UdpSocket resolver("192.0.2.1:5353", kTailscaledMark);
  const UdpSocket peer(wire.peer(), kPeer4);
  auto capturer = count_underlay({"under0"});
  pass(wireguard_of_another, peer, kPeer4, wireguard(160));
  pass(peer, wireguard_of_another, "192.0.2.1:51820", wireguard(160));
  const Payload question = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0, 1, 0, 1};
  pass(resolver, peer, kPeer4, question);
  pass(peer, resolver, "192.0.2.1:5353", question);
  CHECK(drain(*capturer).underlay.hook.zero());
  pass(tailscaled, peer, kPeer4, wireguard(160));
  CHECK(drain(*capturer).underlay.hook == sent(1, 160));
}

TEST_CASE("what is forwarded for others is not counted, though they use the same ports", "[net]") {
  const Wire wire;
  wire.give_addresses();
  const auto lan = demo::NetNamespace::make().value();
  shell("ip link add lan0 type veth peer name host0");
  shell(fmt::format("ip link set host0 netns /proc/{}/fd/{}", ::getpid(), lan.fd()));
  shell("ip link set lan0 up && ip addr add 203.0.113.1/24 dev lan0");
  shell_in(lan, "ip link set host0 up && ip addr add 203.0.113.2/24 dev host0");
  shell_in(lan, "ip route add default via 203.0.113.1");
  shell_in(wire.peer(), "ip route add default via 192.0.2.1");
  if (std::system("sysctl -q -w net.ipv4.ip_forward=1") != 0) SKIP("/proc/sys cannot be written");
  shell_in(lan, "ping -c 1 -w 5 192.0.2.2");

  const UdpSocket tailscaled(kNode4, kTailscaledMark);
  const UdpSocket host(lan, "203.0.113.2:41641");
  const UdpSocket peer(wire.peer(), "192.0.2.2:41641");
  const std::uint16_t ports[] = {41641};
  for (const bool marked : {true, false}) {
    auto capturer = count_underlay({"lan0", "under0"});
    capturer->set_tailscaled_sockets(ports, marked);
    pass(host, peer, "192.0.2.2:41641", wireguard(160));
    pass(peer, host, "203.0.113.2:41641", wireguard(96));
    CHECK(drain(*capturer).underlay.hook.zero());
    pass(tailscaled, peer, "192.0.2.2:41641", wireguard(160));
    pass(peer, tailscaled, kNode4, wireguard(96));
    CHECK(physical_of(drain(*capturer)) == ByEndpoint{{"192.0.2.2:41641", sent(1, 160) + received(1, 96)}});
  }
}

}  // namespace flowtally::test
