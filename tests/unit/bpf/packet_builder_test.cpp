#include "support/packet_builder.hpp"

#include "support/catch.hpp"

namespace flowtally::support {
namespace {

TEST_CASE("an IPv4 TCP packet is, byte for byte, what RFC 791 and RFC 9293 say") {
  const Bytes bytes = packet().ipv4("100.64.0.1", "100.64.0.2").tcp(443, 5555).payload(2).bytes();
  CHECK(bytes == Bytes{0x45, 0, 0,   42, 0x12, 0x34, 0, 0,   64,   6,    0xa0, 0x17, 100, 64,
                       0,    1, 100, 64, 0,    2,    1, 187, 0x15, 0xb3, 0,    0,    0,   0,
                       0,    0, 0,   0,  0x50, 0x10, 0, 0,   0,    0,    0,    0,    1,   2});
}

TEST_CASE("an IPv6 UDP packet is, byte for byte, what RFC 8200 and RFC 768 say") {
  const Bytes bytes = packet().ipv6("fd7a::1", "fd7a::2").udp(53, 54).payload(1).bytes();
  Bytes expected = {0x60, 0x0a, 0xbc, 0xde, 0, 9, 17, 64};
  const Bytes source = {0xfd, 0x7a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const Bytes destination = {0xfd, 0x7a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  const Bytes rest = {0, 53, 0, 54, 0, 9, 0, 0, 1};
  for (const Bytes& part : {source, destination, rest})
    expected.insert(expected.end(), part.begin(), part.end());
  CHECK(bytes == expected);
}

TEST_CASE("IPv4 options lengthen the header and the total length") {
  const Bytes bytes = packet().ipv4("10.0.0.1", "10.0.0.2").ihl(7).udp(1, 2).bytes();
  REQUIRE(bytes.size() == 28 + 8);
  CHECK(bytes[0] == 0x47);
  CHECK(bytes[3] == 36);
  CHECK(bytes[20] == 1);
  CHECK(bytes[29] == 1);
}

TEST_CASE("an IHL below 5 lies about a header of 20 bytes") {
  const Bytes bytes = packet().ipv4("10.0.0.1", "10.0.0.2").ihl(3).udp(1, 2).bytes();
  CHECK(bytes.size() == 28);
  CHECK(bytes[0] == 0x43);
}

TEST_CASE("IPv4 fragments have their offset in blocks and their flags") {
  const Bytes middle = packet().ipv4("10.0.0.1", "10.0.0.2").fragment(1480, true).payload(8).bytes();
  CHECK(middle[6] == 0x20);
  CHECK(middle[7] == 185);
  const Bytes last = packet().ipv4("10.0.0.1", "10.0.0.2").fragment(65528, false).payload(8).bytes();
  CHECK(last[6] == 0x1f);
  CHECK(last[7] == 0xff);
  const Bytes whole = packet().ipv4("10.0.0.1", "10.0.0.2").dont_fragment().payload(8).bytes();
  CHECK(whole[6] == 0x40);
}

TEST_CASE("extension headers are chained by number and have their lengths") {
  const Bytes bytes = packet()
                          .ipv6("fd7a::1", "fd7a::2")
                          .hop_by_hop(1)
                          .fragment_header(80, true)
                          .authentication()
                          .udp(1, 2)
                          .bytes();
  REQUIRE(bytes.size() == 40 + 16 + 8 + 24 + 8);
  CHECK(bytes[5] == 56);
  CHECK(bytes[6] == 0);
  CHECK(bytes[40] == 44);
  CHECK(bytes[41] == 1);
  CHECK(bytes[56] == 51);
  CHECK(bytes[59] == 81);
  CHECK(bytes[64] == 17);
  CHECK(bytes[65] == 4);
}

TEST_CASE("an ICMP error holds a whole packet with lengths of its own") {
  const Bytes bytes = packet()
                          .ipv4("10.0.0.1", "10.0.0.2")
                          .icmp(3, 4)
                          .ipv4("10.0.0.2", "10.0.0.1")
                          .udp(5, 6)
                          .payload(4)
                          .bytes();
  REQUIRE(bytes.size() == 20 + 8 + 20 + 8 + 4);
  CHECK(bytes[3] == 60);
  CHECK(bytes[9] == 1);
  CHECK(bytes[20] == 3);
  CHECK(bytes[21] == 4);
  CHECK(bytes[28 + 3] == 32);
  CHECK(bytes[28 + 9] == 17);
}

TEST_CASE("lengths and numbers can be made to lie") {
  CHECK(packet().ipv4("10.0.0.1", "10.0.0.2").length_field(0x1234).udp(1, 2).bytes()[2] == 0x12);
  CHECK(packet().ipv6("fd7a::1", "fd7a::2").length_field(0x1234).udp(1, 2).bytes()[5] == 0x34);
  CHECK(packet().ipv4("10.0.0.1", "10.0.0.2").next_field(99).udp(1, 2).bytes()[9] == 99);
  CHECK(packet().ipv4("10.0.0.1", "10.0.0.2").version(9).udp(1, 2).bytes()[0] == 0x95);
  CHECK(packet().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).data_offset(2).bytes()[32] == 0x20);
}

TEST_CASE("a length that 16 bits do not hold is written as 0") {
  const Bytes bytes = packet().ipv6("fd7a::1", "fd7a::2").tcp(1, 2).payload(70000).bytes();
  CHECK(bytes.size() == 40 + 20 + 70000);
  CHECK(bytes[4] == 0);
  CHECK(bytes[5] == 0);
}

TEST_CASE("padding and truncation come after the lengths") {
  const auto base = packet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).payload(10);
  CHECK(PacketBuilder(base).pad(8).bytes().size() == 46);
  CHECK(PacketBuilder(base).pad(8).bytes()[3] == 38);
  CHECK(PacketBuilder(base).truncate(21).bytes().size() == 21);
  CHECK(PacketBuilder(base).truncate(21).bytes()[3] == 38);
  CHECK(PacketBuilder(base).truncate(100).bytes().size() == 38);
}

TEST_CASE("the outermost addresses are remembered") {
  const auto built = packet().ipv6("fd7a::1", "fd7a::2").ipv4("10.0.0.1", "10.0.0.2").udp(1, 2);
  CHECK(built.family() == 6);
  CHECK(built.source() == address_bytes("fd7a::1"));
  CHECK(built.destination() == address_bytes("fd7a::2"));
}

TEST_CASE("an IPv4 address fills the first four bytes") {
  CHECK(address_bytes("1.2.3.4") == AddressBytes{1, 2, 3, 4});
}

TEST_CASE("a packet is printed as a command that rebuilds it") {
  const Bytes bytes = {0x45, 0x00, 0xff};
  CHECK(rebuild_command(bytes) == "echo 4500ff | xxd -r -p > packet.bin");
  CHECK(rebuild_command(bytes, {.gso_size = 1240, .gso_segs = 3, .wire_len = 99}) ==
        "echo 4500ff | xxd -r -p > packet.bin  # gso_size 1240 gso_segs 3 wire_len 99");
}

}  // namespace
}  // namespace flowtally::support
