#include <algorithm>
#include <array>
#include <cstring>

#include "support/catch.hpp"
#include "support/packet_builder.hpp"
#include "support/parser_comparison.hpp"
#include "support/parser_under_test.h"

namespace flowtally::support {
namespace {

template <class Key>
bool same_bytes(const Key& left, const Key& right) {
  return std::memcmp(&left, &right, sizeof(Key)) == 0;
}

ft_flow4_key key4(const PacketBuilder& built, ft_direction direction) {
  const auto parsed = program_parse(built.bytes());
  REQUIRE(parsed.has_value());
  ft_flow4_key key;
  std::memset(&key, 0xff, sizeof(key));  // what is not written shows
  parser_under_test_key4(&*parsed, direction, &key);
  return key;
}

ft_flow6_key key6(const PacketBuilder& built, ft_direction direction) {
  const auto parsed = program_parse(built.bytes());
  REQUIRE(parsed.has_value());
  ft_flow6_key key;
  std::memset(&key, 0xff, sizeof(key));
  parser_under_test_key6(&*parsed, direction, &key);
  return key;
}

ft_coarse_key coarse(const PacketBuilder& built, ft_direction direction) {
  const auto parsed = program_parse(built.bytes());
  REQUIRE(parsed.has_value());
  ft_coarse_key key;
  std::memset(&key, 0xff, sizeof(key));
  parser_under_test_key_coarse(&*parsed, direction, &key);
  return key;
}

PacketBuilder out4() { return packet().ipv4("100.64.0.1", "100.64.0.2").tcp(40000, 443); }
PacketBuilder back4() { return packet().ipv4("100.64.0.2", "100.64.0.1").tcp(443, 40000); }
PacketBuilder out6() { return packet().ipv6("fd7a::1", "fd7a::2").udp(40000, 53); }
PacketBuilder back6() { return packet().ipv6("fd7a::2", "fd7a::1").udp(53, 40000); }

TEST_CASE("both directions of an IPv4 connection have one key") {
  CHECK(same_bytes(key4(out4(), FT_TX), key4(back4(), FT_RX)));
  CHECK(same_bytes(coarse(out4(), FT_TX), coarse(back4(), FT_RX)));
}

TEST_CASE("both directions of an IPv6 connection have one key") {
  CHECK(same_bytes(key6(out6(), FT_TX), key6(back6(), FT_RX)));
  CHECK(same_bytes(coarse(out6(), FT_TX), coarse(back6(), FT_RX)));
}

TEST_CASE("the local end of what leaves is its source") {
  const ft_flow4_key key = key4(out4(), FT_TX);
  CHECK(std::ranges::equal(key.local, std::array{100, 64, 0, 1}));
  CHECK(std::ranges::equal(key.remote, std::array{100, 64, 0, 2}));
  CHECK(key.local_port == 40000);
  CHECK(key.remote_port == 443);
  CHECK(key.proto == 6);
}

TEST_CASE("the same packet seen in the other direction is another flow") {
  CHECK_FALSE(same_bytes(key4(out4(), FT_TX), key4(out4(), FT_RX)));
  CHECK_FALSE(same_bytes(key6(out6(), FT_TX), key6(out6(), FT_RX)));
}

TEST_CASE("padding is zero, because it takes part in the hash") {
  CHECK(std::ranges::equal(key4(out4(), FT_TX).pad, std::array{0, 0, 0}));
  CHECK(std::ranges::equal(key6(out6(), FT_RX).pad, std::array{0, 0, 0}));
  CHECK(std::ranges::equal(coarse(out4(), FT_TX).pad, std::array{0, 0}));
}

TEST_CASE("a coarse key is the peer and the protocol") {
  const ft_coarse_key key = coarse(out4(), FT_TX);
  CHECK(std::ranges::equal(key.remote, address_bytes("100.64.0.2")));
  CHECK(key.family == 4);
  CHECK(key.proto == 6);
  CHECK(same_bytes(key, coarse(packet().ipv4("100.64.0.9", "100.64.0.2").tcp(1, 2), FT_TX)));
  CHECK(std::ranges::equal(coarse(back6(), FT_RX).remote, address_bytes("fd7a::2")));
}

TEST_CASE("later fragments of two hosts have one key in both directions") {
  const auto fragment =
      packet().ipv4("100.64.0.1", "100.64.0.2").fragment(80, true).transport(17, Bytes(64, 7));
  const auto answer =
      packet().ipv4("100.64.0.2", "100.64.0.1").fragment(1480, false).transport(6, Bytes(64, 9));
  CHECK(same_bytes(key4(fragment, FT_TX), key4(answer, FT_RX)));
  CHECK(key4(fragment, FT_TX).proto == FT_PROTO_FRAGMENT);
  CHECK(key4(fragment, FT_TX).local_port == 0);
}

}  // namespace
}  // namespace flowtally::support
