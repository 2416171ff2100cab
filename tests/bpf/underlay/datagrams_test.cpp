// The table of tailscaled's datagrams, and of those that are not: each packet, on both kinds of hook, is
// counted in exactly one place, or nowhere. Beside each case the equation of abi.h is checked (underlay_rig).
#include "bpf/underlay/underlay_rig.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using capture::Direction;
using support::packet;
constexpr std::uint8_t kPayload = 59;
constexpr const char* kPeer4 = "198.51.100.9";
constexpr const char* kPeer6 = "2001:db8:ffff::9";

PacketBuilder out4(Bytes payload, std::uint16_t from = kToldPort) {
  return packet().ipv4(kOwn4, kPeer4).udp(from, 7777).transport(kPayload, std::move(payload));
}
PacketBuilder out6(Bytes payload) {
  return packet().ipv6(kOwn6, kPeer6).udp(kToldPort, 7777).transport(kPayload, std::move(payload));
}
PacketBuilder in4(Bytes payload, std::uint16_t to = kToldPort) {
  return packet().ipv4(kPeer4, kOwn4).udp(7777, to).transport(kPayload, std::move(payload));
}
PacketBuilder in6(Bytes payload) {
  return packet().ipv6(kPeer6, kOwn6).udp(7777, kToldPort).transport(kPayload, std::move(payload));
}

struct Case {
  const char* what;
  PacketBuilder packet;
  std::string counted;
  std::uint32_t mark = kTailscaledMark;
};

void check(Direction direction, const std::vector<Case>& cases) {
  UnderlayRig rig;
  for (const Case& one : cases) {
    for (const auto framing : {UnderlayRig::Framing::kBare, UnderlayRig::Framing::kEthernet}) {
      INFO(one.what << (framing == UnderlayRig::Framing::kBare ? "" : ", framed") << ": "
                    << support::rebuild_command(one.packet.bytes(), one.packet.skb()));
      rig.run(direction, one.packet, one.mark, framing);
      CHECK(rig.counted() == one.counted);
      rig.clear();
    }
  }
}

// The peers as the rig writes them: IPv4 and IPv6 endpoint, port 7777.
const std::string kTo4 = "c6336409:7777: ";
const std::string kTo6 = "20010db8ffff00000000000000000009:7777: ";

TEST_CASE("what leaves with the mark from a known port, by kind") {
  check(
      Direction::kTx,
      {
          {"a handshake initiation", out4(wireguard(1, 148)), kTo4 + "tx 1/148 rx 0/0"},
          {"a handshake response", out6(wireguard(2, 92)), kTo6 + "tx 1/92 rx 0/0"},
          {"a cookie reply", out4(wireguard(3, 64)), kTo4 + "tx 1/64 rx 0/0"},
          {"a keepalive", out4(wireguard(4, 32)), kTo4 + "tx 1/32 rx 0/0"},
          {"data", out6(wireguard(4, 1312)), kTo6 + "tx 1/1312 rx 0/0"},
          {"a message of no known type, which tailscaled takes for WireGuard", out4(wireguard(9, 40)),
           kTo4 + "tx 1/40 rx 0/0"},
          {"disco", out4(disco()), "disco: tx 1/62 rx 0/0"},
          {"disco's magic without a sender behind it is no disco", out4(disco(37)), kTo4 + "tx 1/37 rx 0/0"},
          {"a STUN request", out6(stun()), "stun: tx 1/40 rx 0/0"},
          {"a STUN header cut short is no STUN", out4(stun(19)), kTo4 + "tx 1/19 rx 0/0"},
          {"WireGuard through a peer relay, without the relay's header",
           out4(geneve(0x7a12, wireguard(4, 96))), kTo4 + "tx 1/96 rx 0/0"},
          {"disco through a peer relay", out4(geneve(0x7a11, disco())), "disco: tx 1/70 rx 0/0"},
          {"another protocol in Geneve is none of ours", out4(geneve(0x6558, wireguard(4, 96))),
           kTo4 + "tx 1/104 rx 0/0"},
          {"no payload at all", out4({}), "other: tx 1/0 rx 0/0"},
          {"the byte that ends a batch", out4({7}), "other: tx 1/1 rx 0/0"},
          {"two bytes", out4({1, 0}), kTo4 + "tx 1/2 rx 0/0"},
          {"seven bytes of disco's magic and more", out4(disco(7)), kTo4 + "tx 1/7 rx 0/0"},
      });
}

TEST_CASE("what arrives for a known port and an own address, by kind") {
  check(Direction::kRx,
        {
            {"a handshake initiation", in4(wireguard(1, 148)), kTo4 + "tx 0/0 rx 1/148", 0},
            {"data", in6(wireguard(4, 1312)), kTo6 + "tx 0/0 rx 1/1312", 0},
            {"data with somebody's mark", in4(wireguard(4, 128)), kTo4 + "tx 0/0 rx 1/128", kForeignMark},
            {"disco", in6(disco()), "disco: tx 0/0 rx 1/62", 0},
            {"a STUN answer", in4([] {
               Bytes answer = stun(32);
               answer[0] = 1;
               return answer;
             }()),
             "stun: tx 0/0 rx 1/32", 0},
            {"STUN's cookie with another method is taken for WireGuard", in4([] {
               Bytes other = stun(32);
               other[1] = 2;
               return other;
             }()),
             kTo4 + "tx 0/0 rx 1/32", 0},
            {"WireGuard through a peer relay, with the relay's header", in4(geneve(0x7a12, wireguard(4, 96))),
             kTo4 + "tx 0/0 rx 1/104", 0},
            {"the byte that ends a batch, which the receiver counts", in4({7}), kTo4 + "tx 0/0 rx 1/1", 0},
            {"no payload at all", in6({}), "other: tx 0/0 rx 1/0", 0},
        });
}

TEST_CASE("headers of all kinds") {
  const Bytes data = wireguard(4, 128);
  check(
      Direction::kRx,
      {
          {"IPv4 options", packet().ipv4(kPeer4, kOwn4).ihl(9).udp(7777, kToldPort).transport(kPayload, data),
           kTo4 + "tx 0/0 rx 1/128", 0},
          {"IPv6 extension headers",
           packet()
               .ipv6(kPeer6, kOwn6)
               .hop_by_hop()
               .destination_options(2)
               .udp(7777, kToldPort)
               .transport(kPayload, data),
           kTo6 + "tx 0/0 rx 1/128", 0},
          {"bytes behind the datagram, as short frames are padded", in4(wireguard(4, 32)).pad(14),
           kTo4 + "tx 0/0 rx 1/32", 0},
          {"the first fragment stands for the whole datagram",
           packet()
               .ipv4(kPeer4, kOwn4)
               .fragment(0, true)
               .udp(7777, kToldPort)
               .length_field(2008)
               .transport(kPayload, wireguard(4, 1472)),
           kTo4 + "tx 0/0 rx 1/2000", 0},
          {"the first IPv6 fragment too",
           packet()
               .ipv6(kPeer6, kOwn6)
               .fragment_header(0, true)
               .udp(7777, kToldPort)
               .length_field(2008)
               .transport(kPayload, wireguard(4, 1232)),
           kTo6 + "tx 0/0 rx 1/2000", 0},
          {"a later fragment counts nothing",
           packet().ipv4(kPeer4, kOwn4).fragment(1480, false).transport(17, wireguard(4, 528)), "", 0},
          {"a UDP length beyond the packet is broken",
           packet().ipv4(kPeer4, kOwn4).udp(7777, kToldPort).length_field(2008).transport(kPayload, data), "",
           0},
          {"beyond an IPv6 packet too",
           packet().ipv6(kPeer6, kOwn6).udp(7777, kToldPort).length_field(2008).transport(kPayload, data), "",
           0},
          {"a UDP length below its header is broken",
           packet().ipv4(kPeer4, kOwn4).udp(7777, kToldPort).length_field(7).transport(kPayload, data), "",
           0},
          {"in a first fragment too",
           packet()
               .ipv4(kPeer4, kOwn4)
               .fragment(0, true)
               .udp(7777, kToldPort)
               .length_field(7)
               .transport(kPayload, data),
           "", 0},
          {"an address in which the protocol's number would be ICMPv6's, were it in another place",
           packet().ipv6("203a::9", kOwn6).udp(7777, kToldPort).transport(kPayload, data),
           "203a0000000000000000000000000009:7777: tx 0/0 rx 1/128", 0},
          {"cut inside the UDP header", in4(data).truncate(24), "", 0},
          {"ICMP", packet().ipv4(kPeer4, kOwn4).icmp(8).payload(56), "", 0},
          {"ICMPv6", packet().ipv6(kPeer6, kOwn6).icmpv6(128).payload(56), "", 0},
          {"a tunnel around a datagram of a tailscaled",
           packet()
               .ipv4(kPeer4, kOwn4)
               .ipv4("10.0.0.1", "10.0.0.2")
               .udp(7777, kToldPort)
               .transport(kPayload, data),
           "", 0},
      });
}

TEST_CASE("super-packets are as many datagrams as they are cut into") {
  const Bytes data = wireguard(4, 1000);
  check(
      Direction::kTx,
      {
          {"three of a size", out4(joined({data, data, data})).gso_size(1000), kTo4 + "tx 3/3000 rx 0/0"},
          {"the last one short", out6(joined({data, data, wireguard(4, 32)})).gso_size(1000),
           kTo6 + "tx 3/2032 rx 0/0"},
          {"one that is not longer than its segments", out4(data).gso_size(1000), kTo4 + "tx 1/1000 rx 0/0"},
          {"the byte that ends a batch is left out", out4(joined({data, data, {7}})).gso_size(1000),
           "c6336409:7777: tx 2/2000 rx 0/0\nother: tx 1/1 rx 0/0"},
          {"through a relay, each with its header, and a byte that has none",
           out4(joined({geneve(0x7a12, data), geneve(0x7a12, data), {7}})).gso_size(1008),
           "c6336409:7777: tx 2/2000 rx 0/0\nother: tx 1/1 rx 0/0"},
      });
  check(Direction::kRx,
        {
            {"three of a size", in4(joined({data, data, data})).gso_size(1000), kTo4 + "tx 0/0 rx 3/3000", 0},
            {"the last one short", in6(joined({data, wireguard(4, 32)})).gso_size(1000),
             kTo6 + "tx 0/0 rx 2/1032", 0},
            {"disco joined to data, because it came behind it",
             in4(joined({data, data, disco()})).gso_size(1000),
             "c6336409:7777: tx 0/0 rx 2/2000\ndisco: tx 0/0 rx 1/62", 0},
            {"a keepalive joined to disco", in4(joined({disco(), wireguard(4, 32)})).gso_size(62),
             "c6336409:7777: tx 0/0 rx 1/32\ndisco: tx 0/0 rx 1/62", 0},
            {"disco joined to disco", in4(joined({disco(), disco(46)})).gso_size(62),
             "disco: tx 0/0 rx 2/108", 0},
            {"the byte that ends a batch, which the receiver counts",
             in6(joined({data, data, {7}})).gso_size(1000), kTo6 + "tx 0/0 rx 3/2001", 0},
            {"through a relay, with its headers",
             in4(joined({geneve(0x7a12, data), geneve(0x7a12, wireguard(4, 32))})).gso_size(1008),
             kTo4 + "tx 0/0 rx 2/1048", 0},
        });
}

TEST_CASE("what is somebody else's is not counted") {
  const Bytes data = wireguard(4, 128);
  check(Direction::kTx,
        {
            {"no mark", out4(data), "", 0},
            {"another mark", out4(data), "", kForeignMark},
            {"a mark that only has the bit", out4(data), "", 0xc0000},
            {"a mark with other bits outside of the mask", out4(data), kTo4 + "tx 1/128 rx 0/0", 0xff08ffff},
            {"marked DNS from another port", out4({0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 5353), ""},
            {"a marked STUN request from another port", out4(stun(), 5353), ""},
            {"marked relaying for others: what our own peer relay sends",
             out4(geneve(0x7a12, wireguard(4, 96)), 5354), ""},
        });
  check(Direction::kRx,
        {
            {"another port", in4(data, 41642), "", 0},
            {"another port behind IPv4 options",
             packet().ipv4(kPeer4, kOwn4).ihl(9).udp(7777, 41642).transport(kPayload, data), "", 0},
            {"another port behind an extension header",
             packet().ipv6(kPeer6, kOwn6).hop_by_hop().udp(7777, 41642).transport(kPayload, data), "", 0},
            {"another host's address: forwarded to a tailscaled in a container",
             packet().ipv4(kPeer4, "172.17.0.2").udp(7777, kToldPort).transport(kPayload, data), "", 0},
            {"another host's IPv6 address",
             packet().ipv6(kPeer6, "2001:db8::2").udp(7777, kToldPort).transport(kPayload, data), "", 0},
            {"the known port as the source only",
             packet().ipv4(kPeer4, kOwn4).udp(kToldPort, 7777).transport(kPayload, data), "", 0},
            {"TCP to the known port",
             packet().ipv4(kPeer4, kOwn4).tcp(7777, kToldPort).transport(kPayload, data), "", 0},
        });
}

TEST_CASE("a frame with a VLAN tag, or for another station, or of no IP type is passed over") {
  UnderlayRig rig;
  const Bytes ip = in4(wireguard(4, 128)).bytes();
  const auto frame = [&ip](std::uint8_t station, const Bytes& type) {
    return joined({Bytes{station, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2}, type, ip});
  };
  rig.run_frame(Direction::kRx, frame(0, {0x81, 0x00, 0, 5, 0x08, 0x00}));
  rig.run_frame(Direction::kRx, frame(0, {0x88, 0xa8, 0, 5, 0x08, 0x00}));
  rig.run_frame(Direction::kRx, frame(0x02, {0x08, 0x00}));
  rig.run_frame(Direction::kRx, frame(0, {0x08, 0x06}));
  CHECK(rig.counted() == "");
  rig.run_frame(Direction::kRx, frame(0, {0x08, 0x00}));
  CHECK(rig.counted() == kTo4 + "tx 0/0 rx 1/128");
}

TEST_CASE("an address that is counted on one device only is not counted on another") {
  UnderlayRig rig;
  constexpr std::uint32_t kLoopback = 1;  // the device of test runs
  rig.add_own_address(kOwn4, kLoopback + 1);
  rig.run(Direction::kRx, in4(wireguard(4, 128)));
  rig.run(Direction::kTx, out4(wireguard(4, 128)), kTailscaledMark);
  CHECK(rig.counted() == "");
  rig.add_own_address(kOwn4, kLoopback);
  rig.run(Direction::kRx, in4(wireguard(4, 128)));
  rig.run(Direction::kTx, out4(wireguard(4, 128)), kTailscaledMark);
  CHECK(rig.counted() == kTo4 + "tx 1/128 rx 1/128");
}

TEST_CASE("where tailscaled cannot mark its sockets, the port must do") {
  UnderlayRig rig({.mark_is_sure = false});
  rig.run(Direction::kTx, out4(wireguard(4, 128)), 0);
  rig.run(Direction::kTx, out4(wireguard(4, 128)), kForeignMark);
  rig.run(Direction::kTx, out4(wireguard(4, 128), 5353), 0);
  CHECK(rig.counted() == kTo4 + "tx 2/256 rx 0/0");
  CHECK(rig.udp_port(5353) == FT_PORT_FOREIGN);
}

TEST_CASE("both directions of an endpoint are one entry, in the generation that is active") {
  UnderlayRig rig;
  rig.run(Direction::kTx, out4(wireguard(1, 148)), kTailscaledMark);
  rig.run(Direction::kRx, in4(wireguard(2, 92)), 0, UnderlayRig::Framing::kEthernet);
  rig.control().active = 1;
  rig.run(Direction::kTx, out4(wireguard(4, 32)), kTailscaledMark);
  CHECK(rig.counted(0) == kTo4 + "tx 1/148 rx 1/92");
  CHECK(rig.counted(1) == kTo4 + "tx 1/32 rx 0/0");
}

TEST_CASE("endpoints that find no room are in the rest, and known ones are counted on") {
  UnderlayRig rig({.endpoints = 2});
  const auto to_port = [](std::uint16_t port) {
    return packet().ipv4(kOwn4, kPeer4).udp(kToldPort, port).transport(kPayload, wireguard(4, 100));
  };
  for (int round = 0; round < 2; ++round) {
    for (const std::uint16_t port :
         {std::uint16_t{1001}, std::uint16_t{1002}, std::uint16_t{1003}, std::uint16_t{1004}})
      rig.run(Direction::kTx, to_port(port), kTailscaledMark);
  }
  CHECK(rig.counted() ==
        "c6336409:1001: tx 2/200 rx 0/0\nc6336409:1002: tx 2/200 rx 0/0\nrest: tx 4/400 rx 0/0");
}

TEST_CASE("without a table everything is in the rest") {
  UnderlayRig rig({.endpoints = 0});
  rig.run(Direction::kRx, in6(wireguard(4, 100)));
  CHECK(rig.counted() == "rest: tx 0/0 rx 1/100");
}

}  // namespace
}  // namespace flowtally::test
