#include "support/packet_vectors.hpp"

#include <utility>

#include <fmt/format.h>

namespace flowtally::support {
namespace {

PacketBuilder v4() { return packet().ipv4("100.64.0.1", "100.64.0.2"); }
PacketBuilder v6() { return packet().ipv6("fd7a:115c:a1e0::1", "fd7a:115c:a1e0::2"); }

Expected excluded_out(std::uint8_t proto, ft_excluded why) { return flow(proto).excluded_on_egress(why); }

/// A later fragment: one flow of protocol 255 between the hosts, unless it begins too early to be let out.
Expected later_fragment(unsigned offset_bytes) {
  Expected expected = flow(255);
  if (offset_bytes < 80) expected.excluded_on_egress(FT_EXCLUDED_FRAGMENT);
  return expected;
}

using ExtensionHeader = PacketBuilder& (PacketBuilder::*)(unsigned);

/// Repeats a header `times` times.
PacketBuilder extended(PacketBuilder built, ExtensionHeader header, unsigned times) {
  for (unsigned i = 0; i < times; i++) (built.*header)(0);
  return built;
}

/// The same, then TCP.
PacketBuilder chain(PacketBuilder built, ExtensionHeader header, unsigned times) {
  return extended(std::move(built), header, times).tcp(443, 5555).payload(9);
}

}  // namespace

std::vector<PacketVector> transport_vectors() {
  return {
      {"TCP over IPv4 has its ports", v4().tcp(443, 5555).payload(100), flow(6, 443, 5555)},
      {"TCP over IPv6 has its ports", v6().tcp(443, 5555).payload(100), flow(6, 443, 5555)},
      {"TCP options change nothing", v4().tcp(443, 5555).data_offset(15).payload(1), flow(6, 443, 5555)},
      {"a TCP data offset that lies changes nothing", v4().tcp(443, 5555).data_offset(1), flow(6, 443, 5555)},
      {"UDP over IPv4 has its ports", v4().udp(53, 65535).payload(33), flow(17, 53, 65535)},
      {"UDP over IPv6 has its ports", v6().udp(53, 65535).payload(33), flow(17, 53, 65535)},
      {"UDP without payload is whole", v4().udp(1, 2), flow(17, 1, 2)},
      {"a UDP length that lies changes nothing", v4().udp(1, 2).length_field(9000).payload(3),
       flow(17, 1, 2)},
      {"SCTP has its ports", v4().sctp(2905, 2906).payload(16), flow(132, 2905, 2906)},
      {"SCTP over IPv6 has its ports", v6().sctp(2905, 2906).payload(16), flow(132, 2905, 2906)},
      {"an ICMP echo has no ports", v4().icmp(8).payload(56), flow(1)},
      {"an ICMPv6 echo has no ports", v6().icmpv6(128).payload(56), flow(58)},
      {"an ICMP error is ICMP, not the flow inside it",
       v4().icmp(3, 4).ipv4("100.64.0.2", "100.64.0.1").tcp(5555, 443), flow(1)},
      {"an ICMPv6 error is ICMPv6, not the flow inside it",
       v6().icmpv6(2).ipv6("fd7a:115c:a1e0::2", "fd7a:115c:a1e0::1").udp(5555, 443), flow(58)},
      {"IPv4's ICMP inside IPv6 is only a number", v6().transport(1, {8}), flow(1)},
      {"IPv6's ICMP inside IPv4 is only a number", v4().transport(58, {128}), flow(58)},
      {"IGMP has no ports", v4().igmp(), flow(2)},
      {"IGMP inside IPv6 is only a number", v6().transport(2, {0x16}), flow(2)},
      {"GRE is not looked into", v4().gre().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2), flow(47)},
      {"ESP is not looked into", v4().esp().payload(64), flow(50)},
      {"ESP over IPv6 is not looked into", v6().esp().payload(64), flow(50)},
      {"AH over IPv4 is not looked into", v4().authentication().tcp(1, 2), flow(51)},
      {"IPv4 in IPv4 is not looked into", v4().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2), flow(4)},
      {"IPv6 in IPv4 is not looked into", v4().ipv6("fd00::1", "fd00::2").tcp(1, 2), flow(41)},
      {"IPv4 in IPv6 is not looked into", v6().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2), flow(4)},
      {"DCCP has no ports here", v4().transport(33, Bytes(12, 1)), flow(33)},
      {"OSPF has no ports", v4().transport(89, Bytes(24, 2)), flow(89)},
      {"an unknown protocol needs no byte of its own", v4().transport(200, {}), flow(200)},
      {"TCP needs 20 bytes", v4().transport(6, Bytes(19)), unparsed(FT_UNPARSED_TRUNCATED)},
      {"UDP needs 8 bytes", v4().transport(17, Bytes(7)), unparsed(FT_UNPARSED_TRUNCATED)},
      {"SCTP needs 12 bytes", v4().transport(132, Bytes(11)), unparsed(FT_UNPARSED_TRUNCATED)},
      {"ICMP needs 4 bytes", v4().transport(1, Bytes(3)), unparsed(FT_UNPARSED_TRUNCATED)},
      {"ICMP of 4 bytes is whole", v4().transport(1, Bytes(4)), flow(1)},
      {"ICMPv6 needs 4 bytes", v6().transport(58, Bytes(3)), unparsed(FT_UNPARSED_TRUNCATED)},
      {"IGMP needs 8 bytes", v4().transport(2, Bytes(7)), unparsed(FT_UNPARSED_TRUNCATED)},
      {"TSMP needs 7 bytes", v4().transport(99, Bytes(6)), unparsed(FT_UNPARSED_TRUNCATED)},
      {"bytes behind the IP packet count as the buffer's", v4().udp(1, 2).pad(22), flow(17, 1, 2)},
      {"bytes behind the IPv6 packet count as the buffer's", v6().udp(1, 2).pad(22), flow(17, 1, 2)},
  };
}

std::vector<PacketVector> ipv4_header_vectors() {
  std::vector<PacketVector> vectors = {
      {"version 5 is not IP", v4().version(5).tcp(1, 2), unparsed(FT_UNPARSED_NOT_IP)},
      {"version 0 is not IP", v4().version(0).tcp(1, 2), unparsed(FT_UNPARSED_NOT_IP)},
      {"version 15 is not IP", v6().version(15).tcp(1, 2), unparsed(FT_UNPARSED_NOT_IP)},
      {"an IHL beyond the packet is a packet cut short", v4().ihl(15).truncate(59),
       unparsed(FT_UNPARSED_TRUNCATED)},
      {"a total length beyond the packet is not believed", v4().length_field(49).tcp(1, 2).payload(8),
       unparsed(FT_UNPARSED_TOTAL_LEN)},
      {"a total length of the header alone is believed", v4().length_field(20).tcp(1, 2), flow(6, 1, 2)},
      {"a total length below its own header is not believed", v4().length_field(19).tcp(1, 2),
       unparsed(FT_UNPARSED_TOTAL_LEN)},
      {"a total length below a header with options is not believed", v4().ihl(6).length_field(23).tcp(1, 2),
       unparsed(FT_UNPARSED_TOTAL_LEN)},
      {"a total length of 0 is not believed without GSO", v4().length_field(0).tcp(1, 2),
       unparsed(FT_UNPARSED_TOTAL_LEN)},
      {"an IPv6 payload length beyond the packet is not believed", v6().length_field(21).tcp(1, 2),
       unparsed(FT_UNPARSED_TOTAL_LEN)},
      {"an IPv6 payload length below the headers is believed", v6().length_field(1).tcp(1, 2), flow(6, 1, 2)},
      {"an IPv6 payload length of 0 is a jumbogram", v6().length_field(0).hop_by_hop().tcp(1, 2).payload(9),
       flow(6, 1, 2)},
  };
  for (unsigned words = 0; words <= 15; words++) {
    vectors.push_back({fmt::format("an IHL of {} {}", words, words < 5 ? "is no header" : "finds the ports"),
                       v4().ihl(words).tcp(443, 5555).payload(3),
                       words < 5 ? unparsed(FT_UNPARSED_HEADER_LEN) : flow(6, 443, 5555)});
  }
  return vectors;
}

std::vector<PacketVector> fragment_vectors() {
  std::vector<PacketVector> vectors = {
      {"a first fragment has its ports", v4().fragment(0, true).udp(53, 5353).payload(64),
       flow(17, 53, 5353)},
      {"do-not-fragment is not a fragment", v4().dont_fragment().tcp(1, 2), flow(6, 1, 2)},
      {"a first fragment too short for its transport header is cut short",
       v4().fragment(0, true).transport(6, Bytes(16)), unparsed(FT_UNPARSED_TRUNCATED)},
      {"a later fragment needs no byte behind the header", v4().fragment(80, false).transport(6, {}),
       flow(255)},
      {"a later fragment behind options has no ports", v4().ihl(8).fragment(1480, false).udp(1, 2),
       flow(255)},
      {"the last offset that 13 bits hold is a later fragment", v4().fragment(65528, false).transport(17, {}),
       flow(255)},
      {"an IPv6 first fragment has its ports", v6().fragment_header(0, true).udp(53, 5353).payload(64),
       flow(17, 53, 5353)},
      {"an atomic IPv6 fragment has its ports", v6().fragment_header(0, false).tcp(1, 2), flow(6, 1, 2)},
      {"an IPv6 later fragment behind another extension has no ports",
       v6().destination_options().fragment_header(1232, true).payload(64), flow(255)},
      {"an IPv6 fragment header cut short is cut short",
       v6().length_field(0).fragment_header(80, false).truncate(47), unparsed(FT_UNPARSED_TRUNCATED)},
      {"the last IPv6 offset is a later fragment", v6().fragment_header(65528, false).payload(1), flow(255)},
      {"a fragment header in IPv4 is only a number", v4().transport(44, Bytes(8, 9)), flow(44)},
  };
  for (const unsigned offset : {8U, 16U, 24U, 32U, 40U, 48U, 56U, 64U, 72U, 80U, 88U, 1480U}) {
    const char* const fate = offset < 80 ? "is never let out" : "is of protocol 255";
    for (const bool more : {false, true}) {
      vectors.push_back({fmt::format("an IPv4 {} fragment at {} {}", more ? "middle" : "last", offset, fate),
                         v4().fragment(offset, more).transport(17, Bytes(24, 3)), later_fragment(offset)});
      vectors.push_back({fmt::format("an IPv6 {} fragment at {} {}", more ? "middle" : "last", offset, fate),
                         v6().fragment_header(offset, more).transport(17, Bytes(24, 3)),
                         later_fragment(offset)});
    }
  }
  return vectors;
}

std::vector<PacketVector> extension_vectors() {
  std::vector<PacketVector> vectors = {
      {"hop-by-hop options are walked", v6().hop_by_hop().tcp(443, 5555), flow(6, 443, 5555)},
      {"a routing header is walked", v6().routing(2).udp(443, 5555), flow(17, 443, 5555)},
      {"destination options are walked", v6().destination_options(1).sctp(443, 5555), flow(132, 443, 5555)},
      {"an MLD report behind hop-by-hop options is ICMPv6", v6().hop_by_hop().icmpv6(143), flow(58)},
      {"the order of RFC 8200 is walked",
       v6().hop_by_hop().destination_options().routing(2).fragment_header(0, true).destination_options().tcp(
           1, 2),
       flow(6, 1, 2)},
      {"a header of 2,048 bytes is walked", v6().destination_options(255).tcp(443, 5555), flow(6, 443, 5555)},
      {"ports behind 600 bytes of options are found", v6().hop_by_hop(74).udp(443, 5555).payload(5),
       flow(17, 443, 5555)},
      {"AH ends the walk", v6().hop_by_hop().authentication().tcp(1, 2), flow(51)},
      {"ESP ends the walk", v6().destination_options().esp().payload(32), flow(50)},
      {"mobility ends the walk", v6().mobility().no_next_header(), flow(135)},
      {"no next header is protocol 59", v6().no_next_header(), flow(59)},
      {"no next header behind options is protocol 59", v6().hop_by_hop().no_next_header(), flow(59)},
      {"IPv4 does not walk IPv6's headers", v4().transport(43, Bytes(8)), flow(43)},
      {"a header whose length leaves the packet is cut short",
       v6().length_field(0).destination_options(3).tcp(1, 2).truncate(71), unparsed(FT_UNPARSED_TRUNCATED)},
      {"a chain that names a further header and ends is cut short", v6().hop_by_hop().next_field(60),
       unparsed(FT_UNPARSED_TRUNCATED)},
      {"seven bytes of a header are too few", v6().hop_by_hop().next_field(0).transport(0, Bytes(7)),
       unparsed(FT_UNPARSED_TRUNCATED)},
      {"an eighth header that leaves the packet is cut short, whatever follows it",
       extended(v6().length_field(0), &PacketBuilder::hop_by_hop, 7).transport(0, {0, 1, 0, 0, 0, 0, 0, 0}),
       unparsed(FT_UNPARSED_TRUNCATED)},
      {"a header without transport behind it is cut short", v6().hop_by_hop().next_field(17),
       unparsed(FT_UNPARSED_TRUNCATED)},
      {"a chain that never ends is given up", chain(v6(), &PacketBuilder::hop_by_hop, 300),
       unparsed(FT_UNPARSED_EXTENSIONS)},
      {"nine headers are too many even where the ninth is not there",
       chain(v6().length_field(0), &PacketBuilder::hop_by_hop, 9).truncate(40 + 8 * 8),
       unparsed(FT_UNPARSED_EXTENSIONS)},
  };
  const std::pair<const char*, ExtensionHeader> kinds[] = {
      {"hop-by-hop", &PacketBuilder::hop_by_hop},
      {"routing", &PacketBuilder::routing},
      {"destination options", &PacketBuilder::destination_options}};
  for (const auto& [name, header] : kinds) {
    for (unsigned times = 1; times <= 9; times++) {
      vectors.push_back(
          {fmt::format("{} {} header(s) {}", times, name, times <= 8 ? "are walked" : "are too many"),
           chain(v6(), header, times), times <= 8 ? flow(6, 443, 5555) : unparsed(FT_UNPARSED_EXTENSIONS)});
    }
  }
  return vectors;
}

std::vector<PacketVector> exclusion_vectors() {
  const auto to4 = [](const char* to) { return packet().ipv4("100.64.0.1", to).udp(5, 6); };
  const auto to6 = [](const char* to) { return packet().ipv6("fd7a:115c:a1e0::1", to).udp(5, 6); };
  const auto from4 = [](const char* from) { return packet().ipv4(from, "100.64.0.1").udp(5, 6); };
  const auto from6 = [](const char* from) { return packet().ipv6(from, "fd7a:115c:a1e0::1").udp(5, 6); };
  const Expected counted = flow(17, 5, 6);
  const auto out = [](ft_excluded why) { return flow(17, 5, 6).excluded_on_egress(why); };
  const auto in = [](ft_excluded why) { return flow(17, 5, 6).excluded_on_ingress(why); };
  return {
      {"what goes to quad-100 is left out", to4("100.100.100.100"), out(FT_EXCLUDED_SERVICE)},
      {"what comes from quad-100 is left out", from4("100.100.100.100"), in(FT_EXCLUDED_SERVICE)},
      {"quad-100's lower neighbour is counted", to4("100.100.100.99"), counted},
      {"quad-100's upper neighbour is counted", to4("100.100.100.101"), counted},
      {"100.100.101.100 is not quad-100", to4("100.100.101.100"), counted},
      {"100.101.100.100 is not quad-100", to4("100.101.100.100"), counted},
      {"101.100.100.100 is not quad-100", from4("101.100.100.100"), counted},
      {"what goes to the IPv6 service address is left out", to6("fd7a:115c:a1e0::53"),
       out(FT_EXCLUDED_SERVICE)},
      {"what comes from the IPv6 service address is left out", from6("fd7a:115c:a1e0::53"),
       in(FT_EXCLUDED_SERVICE)},
      {"::52 is not the service", to6("fd7a:115c:a1e0::52"), counted},
      {"::1:53 is not the service", to6("fd7a:115c:a1e0::1:53"), counted},
      {"a set bit in the middle is not the service", from6("fd7a:115c:a1e0:100::53"), counted},
      {"another prefix is not the service", to6("fd7a:115c:a1e1::53"), counted},
      {"224.0.0.0 is multicast on egress", to4("224.0.0.0"), out(FT_EXCLUDED_MULTICAST)},
      {"239.255.255.255 is multicast on egress", to4("239.255.255.255"), out(FT_EXCLUDED_MULTICAST)},
      {"223.255.255.255 is not multicast", to4("223.255.255.255"), counted},
      {"240.0.0.0 is not multicast", to4("240.0.0.0"), counted},
      {"the broadcast address is counted", to4("255.255.255.255"), counted},
      {"what a multicast address sends is counted", from4("224.0.0.1"), counted},
      {"ff02::fb is multicast on egress", to6("ff02::fb"), out(FT_EXCLUDED_MULTICAST)},
      {"feff:: is not multicast", to6("feff::1"), counted},
      {"what ff02::1 sends is counted", from6("ff02::1"), counted},
      {"169.254.0.0 is link-local on egress", to4("169.254.0.0"), out(FT_EXCLUDED_LINK_LOCAL)},
      {"169.254.255.255 is link-local on egress", to4("169.254.255.255"), out(FT_EXCLUDED_LINK_LOCAL)},
      {"the clouds' metadata service is let out", to4("169.254.169.254"), counted},
      {"the metadata service's lower neighbour is link-local", to4("169.254.169.253"),
       out(FT_EXCLUDED_LINK_LOCAL)},
      {"169.254.168.254 is link-local", to4("169.254.168.254"), out(FT_EXCLUDED_LINK_LOCAL)},
      {"169.253.255.255 is not link-local", to4("169.253.255.255"), counted},
      {"169.255.0.0 is not link-local", to4("169.255.0.0"), counted},
      {"what a link-local address sends is counted", from4("169.254.1.1"), counted},
      {"fe80:: is link-local on egress", to6("fe80::"), out(FT_EXCLUDED_LINK_LOCAL)},
      {"febf:: is link-local on egress", to6("febf:ffff::1"), out(FT_EXCLUDED_LINK_LOCAL)},
      {"fe7f:: is not link-local", to6("fe7f::1"), counted},
      {"fec0:: is not link-local", to6("fec0::1"), counted},
      {"what fe80::1 sends is counted", from6("fe80::1"), counted},
      {"protocol 0 never leaves", v4().transport(0, Bytes(8)), excluded_out(0, FT_EXCLUDED_PROTOCOL)},
      {"TSMP never leaves", v4().transport(99, Bytes(7)), excluded_out(99, FT_EXCLUDED_PROTOCOL)},
      {"TSMP never leaves over IPv6", v6().transport(99, Bytes(7)), excluded_out(99, FT_EXCLUDED_PROTOCOL)},
      {"a claimed protocol 255 never leaves", v4().transport(255, Bytes(8)),
       excluded_out(255, FT_EXCLUDED_PROTOCOL)},
      {"a claimed protocol 255 never leaves over IPv6", v6().transport(255, Bytes(8)),
       excluded_out(255, FT_EXCLUDED_PROTOCOL)},
      {"protocol 1 leaves", v4().transport(1, Bytes(8)), flow(1)},
      {"protocol 254 leaves", v4().transport(254, Bytes(8)), flow(254)},
      {"the address is looked at before the protocol",
       packet().ipv4("100.64.0.1", "224.0.0.1").transport(99, Bytes(8)),
       excluded_out(99, FT_EXCLUDED_MULTICAST)},
      {"the address is looked at before the fragment",
       packet().ipv4("100.64.0.1", "100.100.100.100").fragment(8, false).transport(17, Bytes(8)),
       excluded_out(255, FT_EXCLUDED_SERVICE)},
  };
}

std::vector<PacketVector> super_packet_vectors() {
  return {
      {"a super-packet of three segments counts as three packets with three headers",
       v4().tcp(443, 5555).payload(3000).gso_size(1000), flow(6, 443, 5555).counts(3, 3000 + 3 * 40)},
      {"a last segment of one byte is a packet", v4().tcp(443, 5555).payload(2001).gso_size(1000),
       flow(6, 443, 5555).counts(3, 2001 + 3 * 40)},
      {"TCP timestamps are in every segment", v4().tcp(443, 5555).data_offset(8).payload(2456).gso_size(1228),
       flow(6, 443, 5555).counts(2, 2456 + 2 * 52)},
      {"IPv4 options are in every segment", v4().ihl(7).tcp(443, 5555).payload(2000).gso_size(1000),
       flow(6, 443, 5555).counts(2, 2000 + 2 * 48)},
      {"IPv6 segments have their header each", v6().tcp(443, 5555).payload(2400).gso_size(1200),
       flow(6, 443, 5555).counts(2, 2400 + 2 * 60)},
      {"extension headers are in every segment",
       v6().hop_by_hop().destination_options(2).tcp(443, 5555).payload(2400).gso_size(1200),
       flow(6, 443, 5555).counts(2, 2400 + 2 * 92)},
      {"TCP that the kernel counted otherwise goes by its gso_size",
       v4().tcp(443, 5555).payload(3000).gso_size(1000).gso_segs(7).wire_len(3500),
       flow(6, 443, 5555).counts(3, 3120)},
      {"UDP on ingress, where the kernel counts nothing", v4().udp(443, 5555).payload(1520).gso_size(500),
       flow(17, 443, 5555).counts(4, 1520 + 4 * 28)},
      {"UDP that the kernel counted alike",
       v4().udp(443, 5555).payload(1720).gso_size(500).gso_segs(4).wire_len(1832),
       flow(17, 443, 5555).counts(4, 1832)},
      {"UDP over IPv6", v6().udp(443, 5555).payload(3000).gso_size(1200),
       flow(17, 443, 5555).counts(3, 3000 + 3 * 48)},
      {"a tunnel in UDP has the kernel's count, where there is one",
       v4().udp(4789, 4789).payload(50 + 40 + 2000).gso_size(1000).gso_segs(2).wire_len(2118 + 118),
       flow(17, 4789, 4789).counts(2, 2118 + 118).counts_on_ingress(3, 2090 + 3 * 28)},
      {"a tunnel in UDP whose segments are as many has the kernel's bytes",
       v4().udp(4789, 4789).payload(90 + 1800).gso_size(1000).gso_segs(2).wire_len(1918 + 118),
       flow(17, 4789, 4789).counts(2, 1918 + 118).counts_on_ingress(2, 1918 + 28)},
      {"SCTP's segments are known on egress only",
       v4().sctp(7, 8).payload(2000).gso_size(0xffff).gso_segs(2).wire_len(2064),
       flow(132, 7, 8).counts(2, 2064).counts_on_ingress(1, 2032)},
      {"IP in IP has the kernel's count, where there is one",
       v4().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).payload(2400).gso_size(1200).gso_segs(2).wire_len(2520),
       flow(4).counts(2, 2520).counts_on_ingress(1, 2460)},
      {"ESP without a count is one packet", v4().esp().payload(2400).gso_size(1200), flow(50)},
      {"a segment size without payload is one packet", v4().tcp(443, 5555).gso_size(1000),
       flow(6, 443, 5555)},
      {"a segment size above the payload is one packet", v4().tcp(443, 5555).payload(10).gso_size(1000),
       flow(6, 443, 5555)},
      {"a data offset behind the end is one packet",
       v4().tcp(443, 5555).data_offset(15).gso_size(7).truncate(50), flow(6, 443, 5555)},
      {"a data offset below 5 counts as 5", v4().tcp(443, 5555).data_offset(0).payload(2000).gso_size(1000),
       flow(6, 443, 5555).counts(2, 2080)},
      {"an ordinary packet that the kernel counts as one", v4().tcp(443, 5555).payload(1240).gso_segs(1),
       flow(6, 443, 5555)},
      {"a total length of 0 is believed of a super-packet",
       v4().length_field(0).tcp(443, 5555).payload(2000).gso_size(1000), flow(6, 443, 5555).counts(2, 2080)},
      {"a payload length beyond the buffer is believed of a super-packet",
       v6().length_field(9000).tcp(443, 5555).payload(2000).gso_size(1000),
       flow(6, 443, 5555).counts(2, 2120)},
      {"a super-packet that is left out counts its segments",
       packet().ipv4("100.64.0.1", "100.100.100.100").tcp(443, 5555).payload(2000).gso_size(1000),
       flow(6, 443, 5555).excluded_on_egress(FT_EXCLUDED_SERVICE).counts(2, 2080)},
      {"a super-packet that cannot be parsed has the kernel's count, where there is one",
       v4().version(7).tcp(443, 5555).payload(2000).gso_size(1000).gso_segs(2).wire_len(2080),
       unparsed(FT_UNPARSED_NOT_IP).counts(2, 2080).counts_on_ingress(1, 2040)},
  };
}

std::vector<PacketVector> packet_vectors() {
  std::vector<PacketVector> all;
  for (auto& list : {transport_vectors(), ipv4_header_vectors(), fragment_vectors(), extension_vectors(),
                     exclusion_vectors(), super_packet_vectors()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}

}  // namespace flowtally::support
