// The table of packets (support/packet_vectors.hpp) against the BPF program's parser and the reference parser
// in user space. The same table runs against the loaded program in tests/bpf/parser.
#include <algorithm>
#include <set>
#include <string>

#include "support/catch.hpp"
#include "support/packet_vectors.hpp"
#include "support/parser_comparison.hpp"
#include "support/parser_under_test.h"

namespace flowtally::support {
namespace {

void check_vector(const PacketVector& vector) {
  const Bytes bytes = vector.packet.bytes();
  const SkbFields& skb = vector.packet.skb();
  const Expected& expected = vector.expected;
  INFO(vector.name << ": " << rebuild_command(bytes, skb));

  const auto parsed = program_parse(bytes, skb.gso_size);
  REQUIRE((parsed ? FT_PARSED : parsed.error()) == expected.reason);
  for (const ft_direction direction : {FT_TX, FT_RX}) {
    const PacketCount count = program_count(bytes.size(), skb, parsed ? &*parsed : nullptr, direction);
    CHECK(count.packets == expected.count(direction, bytes.size()).packets);
    CHECK(count.bytes == expected.count(direction, bytes.size()).bytes);
  }
  if (parsed) {
    CHECK(parsed->family == vector.packet.family());
    CHECK(parsed->proto == expected.proto);
    CHECK(parsed->source_port == expected.source_port);
    CHECK(parsed->destination_port == expected.destination_port);
    CHECK(std::ranges::equal(parsed->source, vector.packet.source()));
    CHECK(std::ranges::equal(parsed->destination, vector.packet.destination()));
    CHECK(parser_under_test_excluded(&*parsed, FT_TX) == expected.on_egress);
    CHECK(parser_under_test_excluded(&*parsed, FT_RX) == expected.on_ingress);
  }
  CHECK(disagreement(bytes, skb).value_or("") == "");
}

TEST_CASE("transport headers") {
  for (const auto& vector : transport_vectors()) check_vector(vector);
}

TEST_CASE("IP headers, sound and broken") {
  for (const auto& vector : ipv4_header_vectors()) check_vector(vector);
}

TEST_CASE("fragments of both families") {
  for (const auto& vector : fragment_vectors()) check_vector(vector);
}

TEST_CASE("chains of IPv6 extension headers") {
  for (const auto& vector : extension_vectors()) check_vector(vector);
}

TEST_CASE("what Tailscale leaves out of its records, and its neighbours") {
  for (const auto& vector : exclusion_vectors()) check_vector(vector);
}

TEST_CASE("super-packets") {
  for (const auto& vector : super_packet_vectors()) check_vector(vector);
}

TEST_CASE("no two packets of the table have the same name") {
  std::set<std::string> names;
  for (const auto& vector : packet_vectors()) {
    INFO(vector.name);
    CHECK(names.insert(vector.name).second);
  }
}

TEST_CASE("the table's longest chain is as long as the program walks") {
  CHECK(parser_under_test_extensions_max() == 8);
}

// Goal: no packet is read behind its end, and a packet cut short is never taken for a whole one of another
// kind. Method: each packet of the table with every length from nothing to whole, once with the length field
// as it was and once as a super-packet, whose length field is not believed.
TEST_CASE("every packet of the table, cut at every length, is what the reference parser says") {
  constexpr std::size_t kHeadersMax = 700;  // beyond it is payload or more of the same options
  for (const auto& vector : packet_vectors()) {
    const Bytes whole = vector.packet.bytes();
    for (std::size_t size = 0; size <= std::min(whole.size(), kHeadersMax); size++) {
      const auto cut = std::span(whole).first(size);
      const auto plain = disagreement(cut, {});
      const auto super_packet = disagreement(cut, {.gso_size = 100});
      if (plain || super_packet) {
        FAIL(vector.name << " cut at " << size << ": " << plain.value_or("") << super_packet.value_or(""));
      }
    }
  }
}

TEST_CASE("a packet cut inside its headers has no flow") {
  const Bytes whole = packet().ipv4("100.64.0.1", "100.64.0.2").ihl(8).tcp(443, 5555).bytes();
  for (std::size_t size = 0; size < whole.size(); size++) {
    INFO("cut at " << size);
    const auto parsed = program_parse(std::span(whole).first(size));
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error() == (size < 32 ? FT_UNPARSED_TRUNCATED : FT_UNPARSED_TOTAL_LEN));
  }
}

TEST_CASE("a header length is found for what GSO cuts up") {
  const auto header_len = [](const PacketBuilder& built) {
    const auto parsed = program_parse(built.bytes(), 1000);
    return parsed ? parsed->header_len : 0;
  };
  const auto v4 = [] { return packet().ipv4("100.64.0.1", "100.64.0.2"); };
  const auto v6 = [] { return packet().ipv6("fd7a::1", "fd7a::2"); };
  CHECK(header_len(v4().tcp(1, 2).payload(9)) == 40);
  CHECK(header_len(v4().ihl(15).tcp(1, 2).data_offset(15)) == 120);
  CHECK(header_len(v4().udp(1, 2)) == 28);
  CHECK(header_len(v4().fragment(0, true).udp(1, 2)) == 28);
  CHECK(header_len(v4().sctp(1, 2)) == 0);
  CHECK(header_len(v4().fragment(80, true).udp(1, 2)) == 0);
  CHECK(header_len(v6().tcp(1, 2)) == 60);
  CHECK(header_len(v6().routing(3).fragment_header(0, true).udp(1, 2)) == 40 + 32 + 8 + 8);
}

}  // namespace
}  // namespace flowtally::support
