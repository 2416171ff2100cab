// Goal: what the capture counts is what crosses the wire, to the packet and the byte, though the kernel shows
// super-packets.
//
// Method: the test is the other side of a real TUN. What it writes it knows packet for packet, because it
// says how the kernel is to coalesce it; what it reads it cuts into wire packets itself (demo/segment.hpp)
// and counts with a parser that shares nothing with the BPF program (demo/wire_count.hpp).
#include <algorithm>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "net/capture/node.hpp"
#include "support/catch.hpp"
#include "support/packet_builder.hpp"

namespace flowtally::test {
namespace {

using support::packet;
using support::PacketBuilder;

struct Incoming {
  const char* what;
  PacketBuilder packet;
  demo::VnetHeader header;
  std::uint64_t packets;
  std::uint64_t bytes;
};

demo::VnetHeader gso(demo::Gso type, std::uint16_t headers, std::uint16_t transport_at, std::uint16_t size) {
  return {.flags = demo::kNeedsChecksum,
          .gso_type = static_cast<std::uint8_t>(type),
          .hdr_len = headers,
          .gso_size = size,
          .csum_start = transport_at,
          .csum_offset = static_cast<std::uint16_t>(type == demo::Gso::kUdp ? 6 : 16)};
}

std::vector<Incoming> incoming_super_packets() {
  constexpr const char* kPeer4 = "100.64.0.2";
  constexpr const char* kSelf4 = "100.64.0.1";
  constexpr const char* kPeer6 = "fd7a:115c:a1e0::2";
  constexpr const char* kSelf6 = "fd7a:115c:a1e0::1";
  return {
      {"a TCP packet", packet().ipv4(kPeer4, kSelf4).tcp(443, 5001).payload(100), {}, 1, 140},
      {"a TCP super-packet of six segments, the last short",
       packet().ipv4(kPeer4, kSelf4).tcp(443, 5002).payload(6300), gso(demo::Gso::kTcp4, 40, 20, 1240), 6,
       6300 + 6 * 40},
      {"a TCP super-packet of equal segments",
       packet().ipv4(kPeer4, kSelf4).tcp(443, 5003).payload(10 * 1000), gso(demo::Gso::kTcp4, 40, 20, 1000),
       10, 10 * 1040},
      {"a TCP super-packet with options",
       packet().ipv4(kPeer4, kSelf4).tcp(443, 5004).data_offset(8).payload(2 * 1228 + 1),
       gso(demo::Gso::kTcp4, 52, 20, 1228), 3, 2 * 1228 + 1 + 3 * 52},
      {"a TCP super-packet of one byte more than one segment",
       packet().ipv4(kPeer4, kSelf4).tcp(443, 5005).payload(1241), gso(demo::Gso::kTcp4, 40, 20, 1240), 2,
       1241 + 80},
      {"the largest TCP super-packet", packet().ipv4(kPeer4, kSelf4).tcp(443, 5006).payload(65535 - 40),
       gso(demo::Gso::kTcp4, 40, 20, 1240), 53, 65495 + 53 * 40},
      {"an IPv6 TCP super-packet", packet().ipv6(kPeer6, kSelf6).tcp(443, 5007).payload(6300),
       gso(demo::Gso::kTcp6, 60, 40, 1220), 6, 6300 + 6 * 60},
      {"an IPv6 TCP super-packet with options",
       packet().ipv6(kPeer6, kSelf6).tcp(443, 5008).data_offset(15).payload(5000),
       gso(demo::Gso::kTcp6, 100, 40, 1180), 5, 5000 + 5 * 100},
      {"a UDP super-packet, the last short", packet().ipv4(kPeer4, kSelf4).udp(53, 5009).payload(1520),
       gso(demo::Gso::kUdp, 28, 20, 500), 4, 1520 + 4 * 28},
      {"an IPv6 UDP super-packet", packet().ipv6(kPeer6, kSelf6).udp(53, 5010).payload(12 * 1200),
       gso(demo::Gso::kUdp, 48, 40, 1200), 12, 12 * 1248},
      {"an ICMP echo", packet().ipv4(kPeer4, kSelf4).icmp(0).payload(56), {}, 1, 84},
      {"an SCTP packet", packet().ipv4(kPeer4, kSelf4).sctp(7, 5011).payload(40), {}, 1, 72},
      {"a GRE packet", packet().ipv4(kPeer4, kSelf4).gre().payload(40), {}, 1, 64},
      {"a first fragment",
       packet().ipv4(kPeer4, kSelf4).fragment(0, true).udp(53, 5012).payload(1200),
       {},
       1,
       1228},
      {"a later fragment", packet().ipv4(kPeer4, kSelf4).fragment(1208, false).payload(600), {}, 1, 620},
      {"a packet with IPv4 options",
       packet().ipv4(kPeer4, kSelf4).ihl(9).udp(53, 5013).payload(40),
       {},
       1,
       84},
      {"a packet with IPv6 extension headers",
       packet().ipv6(kPeer6, kSelf6).hop_by_hop().destination_options(2).udp(53, 5014).payload(40),
       {},
       1,
       120},
  };
}

}  // namespace

TEST_CASE("what the TUN's owner writes is counted as the wire carried it, with virtio headers", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kVirtio);
  auto capturer = start_capture();
  static_cast<void>(drain(*capturer));

  for (const Incoming& incoming : incoming_super_packets()) {
    INFO(incoming.what);
    if (incoming.header.gso_type == static_cast<std::uint8_t>(demo::Gso::kUdp) &&
        tun.write(incoming.packet.bytes(), incoming.header) == EINVAL) {
      continue;  // before Linux 6.2 a TUN takes no UDP super-packets
    }
    if (incoming.header.gso_type != static_cast<std::uint8_t>(demo::Gso::kUdp)) {
      REQUIRE(tun.write(incoming.packet.bytes(), incoming.header) == 0);
    }
    const model::Window window = drain(*capturer);
    CHECK(window.totals.hook.rx_packets == incoming.packets);
    CHECK(window.totals.hook.rx_bytes == incoming.bytes);
    const auto received = [](const model::Flow& flow) { return flow.counters.rx_packets > 0; };
    REQUIRE(std::count_if(window.flows.begin(), window.flows.end(), received) == 1);
    const auto flow = *std::find_if(window.flows.begin(), window.flows.end(), received);
    CHECK(flow.counters.rx_packets == incoming.packets);
    CHECK(flow.counters.rx_bytes == incoming.bytes);
  }
}

TEST_CASE("what the TUN's owner writes is counted as the wire carried it, without virtio headers", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kBare);
  auto capturer = start_capture();
  static_cast<void>(drain(*capturer));
  model::Counters written;
  for (const Incoming& incoming : incoming_super_packets()) {
    if (incoming.header.gso_size != 0) continue;
    REQUIRE(tun.write(incoming.packet.bytes()) == 0);
    written += {.rx_packets = 1, .rx_bytes = incoming.bytes};
  }
  const model::Window window = drain(*capturer);
  CHECK(window.totals.hook.rx_packets == written.rx_packets);
  CHECK(window.totals.hook.rx_bytes == written.rx_bytes);
  CHECK(window.totals.unparsed.zero());
}

TEST_CASE("what the kernel sends is counted as the reader of the TUN cuts it", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kVirtio);
  demo::WireCounter wire;
  tun.read_all(wire);
  wire = {};
  auto capturer = start_capture();

  // Datagrams of many sizes, some as super-packets, some as fragments; the kernel's answers to echo requests
  // and to a connection attempt.
  for (const char* text : {"100.64.0.9", "fd7a:115c:a1e0::9"}) {
    const bool v6 = std::strchr(text, ':') != nullptr;
    const base::UniqueFd socket(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage to{};
    socklen_t to_len = sizeof(sockaddr_in);
    if (v6) {
      auto& address = reinterpret_cast<sockaddr_in6&>(to);
      address.sin6_family = AF_INET6;
      address.sin6_port = htons(4000);
      to_len = sizeof(sockaddr_in6);
      REQUIRE(::inet_pton(AF_INET6, text, &address.sin6_addr) == 1);
    } else {
      auto& address = reinterpret_cast<sockaddr_in&>(to);
      address.sin_family = AF_INET;
      address.sin_port = htons(4000);
      REQUIRE(::inet_pton(AF_INET, text, &address.sin_addr) == 1);
    }
    const std::vector<char> data(12000, 'x');
    for (const std::size_t size : {0UL, 1UL, 512UL, 1200UL, 1253UL, 3000UL, 9000UL}) {
      REQUIRE(::sendto(socket.get(), data.data(), size, 0, reinterpret_cast<sockaddr*>(&to), to_len) >= 0);
    }
    const int segment = 500;
    if (::setsockopt(socket.get(), SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)) == 0) {
      for (const std::size_t size : {500UL, 501UL, 1720UL, 10000UL}) {
        REQUIRE(::sendto(socket.get(), data.data(), size, 0, reinterpret_cast<sockaddr*>(&to), to_len) >= 0);
      }
    }
  }
  REQUIRE(tun.read_all(wire) > 20);
  const model::Window window = drain(*capturer);
  CHECK(window.flows == wire.flows());
  CHECK(window.totals.hook == wire.totals().all);
  CHECK(window.totals.excluded == wire.totals().excluded);
}

TEST_CASE("what Tailscale leaves out is in the totals and not in the flows, unless the switch is off",
          "[net]") {
  for (const bool exclude : {true, false}) {
    enter_fresh_namespace();
    TestTun tun(TestTun::Headers::kBare);
    demo::WireCounter before;
    tun.read_all(before);
    auto capturer = start_capture({.exclude = exclude});
    static_cast<void>(drain(*capturer));
    REQUIRE(tun.write(packet().ipv4("100.100.100.100", "100.64.0.1").udp(53, 5555).payload(60).bytes()) == 0);
    REQUIRE(tun.write(packet().ipv4("100.64.0.2", "100.64.0.1").udp(53, 5555).payload(60).bytes()) == 0);
    const model::Window window = drain(*capturer);
    CHECK(window.totals.hook.rx_packets == 2);
    CHECK(window.totals.excluded.rx_packets == (exclude ? 1 : 0));
    // The kernel may answer "port unreachable" to the service address: left out too.
    CHECK(window.totals.excluded_packets[FT_EXCLUDED_SERVICE] ==
          window.totals.excluded.rx_packets + window.totals.excluded.tx_packets);
    const auto received = [](const model::Flow& flow) { return flow.counters.rx_packets > 0; };
    CHECK(std::count_if(window.flows.begin(), window.flows.end(), received) == (exclude ? 1 : 2));
  }
}

}  // namespace flowtally::test
