// Goal: how the kernel joins, tags and times datagrams makes no difference to what is counted.
//
// Method: super-packets that arrive with datagrams of several kinds in them, frames with tags made by hand,
// and windows that are drained all the time.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>

#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "capture/kernel_check.hpp"
#include "flow/window_maker.hpp"
#include "net/capture/node.hpp"
#include "net/capture/underlay_net.hpp"
#include "net/underlay/wire_tap.hpp"
#include "support/catch.hpp"
#include "support/packet_builder.hpp"

namespace flowtally::test {
namespace {

const std::string kNode = "192.0.2.1:41641";
const std::string kPeer = "192.0.2.2:4000";
constexpr std::uint16_t kPort = 41641;
constexpr std::uint16_t kPorts[] = {kPort};

}  // namespace

TEST_CASE("datagrams that arrive joined are counted one by one, each as its kind", "[net]") {
  const Wire wire;
  // Between two ends of one host what leaves in one piece arrives so, as a network card's driver would join
  // it; what leaves one by one may be joined on arrival, where the device can.
  static_cast<void>(std::system("ethtool -K under0 gro on rx-udp-gro-forwarding on >/dev/null 2>&1"));
  wire.give_addresses();
  auto capturer = count_underlay({"under0"});
  capturer->set_tailscaled_sockets(kPorts, true);
  const UdpSocket node(kNode, kTailscaledMark);
  const UdpSocket peer(wire.peer(), kPeer);
  WireTap tap("under0");
  constexpr std::uint64_t kRounds = 100;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    Payload data_then_disco = wireguard(2 * 1312);
    const Payload message = disco();
    data_then_disco.insert(data_then_disco.end(), message.begin(), message.end());
    peer.send(kNode, data_then_disco, 1312);
    Payload disco_then_keepalive = message;
    const Payload keepalive = wireguard(32);
    disco_then_keepalive.insert(disco_then_keepalive.end(), keepalive.begin(), keepalive.end());
    peer.send(kNode, disco_then_keepalive, static_cast<std::uint16_t>(message.size()));
    peer.send(kNode, wireguard(1312));
    peer.send(kNode, message);
    node.expect(7);
  }
  const model::Window window = drain(*capturer);
  CHECK(physical_of(window) ==
        ByEndpoint{{kPeer, {.rx_packets = 4 * kRounds, .rx_bytes = kRounds * (3 * 1312 + 32)}}});
  CHECK(window.underlay.disco ==
        model::Counters{.rx_packets = 3 * kRounds, .rx_bytes = 3 * kRounds * disco().size()});
  // Before 6.2 a tap cannot be told of UDP super-packets (VIRTIO_NET_HDR_GSO_UDP_L4), and 5.10 cuts them
  // before they reach such a device.
  constexpr capture::KernelVersion kTappedSince{.major = 6, .minor = 2};
  if (capture::running_kernel() < kTappedSince) return;
  tap.read();
  CHECK(tap.sum(IPPROTO_UDP, kPort).rx_packets == 7 * kRounds);
  CHECK(tap.super_packets() >= 2 * kRounds);
}

TEST_CASE("a frame with a priority tag is this device's, one with the tag of a VLAN is not", "[net]") {
  const Wire wire;
  shell("ip link set under0 address 02:00:00:00:00:01");
  wire.give_addresses();
  auto capturer = count_underlay({"under0"});
  capturer->set_tailscaled_sockets(kPorts, true);
  const auto packet =
      support::packet().ipv4("192.0.2.2", "192.0.2.1").udp(4000, kPort).transport(59, wireguard(96)).bytes();
  REQUIRE(wire.peer().run([&packet]() -> base::Status {
    const base::UniqueFd raw(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(::if_nametoindex("peer0"));
    for (const std::uint8_t vlan : {std::uint8_t{0}, std::uint8_t{5}, std::uint8_t{0}}) {
      support::Bytes frame{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0x60, vlan, 0x08, 0};
      frame.insert(frame.end(), packet.begin(), packet.end());
      if (::sendto(raw.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                   sizeof(to)) < 0)
        return base::fail(base::Error::from_errno(errno, "send a frame"));
    }
    return {};
  }));
  const UdpSocket node(kNode, kTailscaledMark);
  const UdpSocket peer(wire.peer(), kPeer);
  pass(peer, node, kNode, wireguard(160));  // behind them: when it is here, so are they
  CHECK(physical_of(drain(*capturer)) == ByEndpoint{{kPeer, {.rx_packets = 3, .rx_bytes = 96 + 96 + 160}}});
}

TEST_CASE("no datagram is lost or counted twice while windows are drained under traffic", "[net]") {
  const Wire wire;
  wire.give_addresses();
  auto capturer = count_underlay({"under0"});
  capturer->set_tailscaled_sockets(kPorts, true);
  constexpr std::uint64_t kRoundsMin = 1500;
  constexpr std::size_t kWindowsMin = 8;
  const UdpSocket node(kNode, kTailscaledMark);
  const UdpSocket peer(wire.peer(), kPeer);
  std::atomic<bool> done = false;
  std::atomic<std::size_t> windows = 0;
  model::Counters counted;
  bool drained = true;
  // The other thread asserts nothing: Catch2's assertions belong to one thread.
  std::thread drainer([&] {
    for (bool last = false; drained && !last; ++windows) {
      last = done;
      const auto generation = capturer->drain();
      if (generation) {
        for (const model::Flow& flow : flow::make_window(**generation).physical) counted += flow.counters;
      }
      drained = generation.has_value() && capturer->acknowledge().has_value();
    }
    windows = kWindowsMin;
  });
  std::uint64_t rounds = 0;
  for (; rounds < kRoundsMin || windows < kWindowsMin; ++rounds) {
    for (int i = 0; i < 8; ++i) {
      node.send(kPeer, wireguard(96));
      peer.send(kNode, wireguard(2 * 128), 128);
    }
    peer.expect(8);
    node.expect(16);
  }
  done = true;
  drainer.join();
  CHECK(drained);
  CHECK(counted == model::Counters{.tx_packets = 8 * rounds,
                                   .tx_bytes = 8 * rounds * 96,
                                   .rx_packets = 16 * rounds,
                                   .rx_bytes = 16 * rounds * 128});
}

}  // namespace flowtally::test
