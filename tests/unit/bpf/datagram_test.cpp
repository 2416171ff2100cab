// What a datagram of tailscaled is and how much of it counts (bpf/datagram.bpf.h). The lengths of WireGuard's
// messages are those of its whitepaper, the other first bytes those that magicsock looks at.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "bpf/datagram.bpf.h"
#include "support/catch.hpp"

namespace flowtally {
namespace {

using Head = std::vector<std::uint8_t>;

const Head kData = {4, 0, 0, 0, 0x11, 0x22, 0x33, 0x44};
const Head kDisco = {0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac, 1, 2};
const Head kStun = {0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42};
const Head kGeneveData = {0, 0, 0x7a, 0x12, 0, 0, 7, 0};
const Head kGeneveDisco = {0, 0, 0x7a, 0x11, 0, 0, 7, 0};

ft_datagrams datagrams(const Head& head, std::uint32_t payload, std::uint32_t size = 0) {
  ft_datagrams result{.head = {}, .payload = payload, .size = size};
  std::ranges::copy(head, result.head);
  return result;
}

Head with(Head head, std::size_t at, std::uint8_t value) {
  head[at] = value;
  return head;
}

}  // namespace

TEST_CASE("a datagram's kind is told by its first bytes and its length", "[unit]") {
  struct Row {
    std::string name;
    Head head;
    std::uint32_t len;
    ft_datagram kind;
  };
  const std::vector<Row> rows = {
      {"a handshake", with(kData, 0, 1), 148, FT_DATAGRAM_WIREGUARD},
      {"data", kData, 96, FT_DATAGRAM_WIREGUARD},
      {"no message of WireGuard that is known: tailscaled hands it to WireGuard all the same",
       {9, 9, 9, 9, 9, 9, 9, 9},
       100,
       FT_DATAGRAM_WIREGUARD},
      {"disco", kDisco, 62, FT_DATAGRAM_DISCO},
      {"the shortest disco", kDisco, 38, FT_DATAGRAM_DISCO},
      {"disco that is cut off", kDisco, 37, FT_DATAGRAM_WIREGUARD},
      {"five of the six bytes of disco", with(kDisco, 5, 0), 62, FT_DATAGRAM_WIREGUARD},
      {"STUN", kStun, 28, FT_DATAGRAM_STUN},
      {"a STUN header and no more", kStun, 20, FT_DATAGRAM_STUN},
      {"a STUN header that is cut off", kStun, 19, FT_DATAGRAM_WIREGUARD},
      {"a STUN success response", with(kStun, 0, 1), 32, FT_DATAGRAM_STUN},
      {"STUN of another method than binding", with(kStun, 1, 3), 28, FT_DATAGRAM_WIREGUARD},
      {"STUN's cookie behind bits that STUN has not", with(kStun, 0, 0x40), 28, FT_DATAGRAM_WIREGUARD},
      {"another cookie", with(kStun, 7, 0x43), 28, FT_DATAGRAM_WIREGUARD},
      {"WireGuard through a relay", kGeneveData, 104, FT_DATAGRAM_WIREGUARD},
      {"disco through a relay", kGeneveDisco, 104, FT_DATAGRAM_DISCO},
      {"disco through a relay, control bit set", with(kGeneveDisco, 1, 0x80), 104, FT_DATAGRAM_DISCO},
      {"Geneve of a later version", with(kGeneveDisco, 0, 0x40), 104, FT_DATAGRAM_WIREGUARD},
      {"Geneve with reserved bits", with(kGeneveDisco, 1, 0x01), 104, FT_DATAGRAM_WIREGUARD},
      {"Geneve with a reserved byte", with(kGeneveDisco, 7, 1), 104, FT_DATAGRAM_WIREGUARD},
      {"a few bytes of nothing", {}, 7, FT_DATAGRAM_WIREGUARD},
      {"nothing", {}, 0, FT_DATAGRAM_OTHER}};
  for (const Row& row : rows) {
    INFO(row.name);
    const auto datagram = datagrams(row.head, row.len);
    CHECK(ft_kind_of(datagram.head, row.len, FT_TX) == row.kind);
    CHECK(ft_kind_of(datagram.head, row.len, FT_RX) == row.kind);
  }
}

TEST_CASE("a datagram of one byte is the end of a batch where it is sent, and counts where it arrives",
          "[unit]") {
  const auto one = datagrams({}, 1);
  CHECK(ft_kind_of(one.head, 1, FT_TX) == FT_DATAGRAM_OTHER);
  CHECK(ft_kind_of(one.head, 1, FT_RX) == FT_DATAGRAM_WIREGUARD);
}

TEST_CASE("WireGuard's shape is a type, three zeros and the length that the type has", "[unit]") {
  struct Row {
    std::string name;
    ft_datagrams datagram;
    bool shape;
  };
  const std::vector<Row> rows = {
      {"initiation", datagrams(with(kData, 0, 1), 148), true},
      {"initiation, a byte short", datagrams(with(kData, 0, 1), 147), false},
      {"response", datagrams(with(kData, 0, 2), 92), true},
      {"response as long as an initiation", datagrams(with(kData, 0, 2), 148), false},
      {"cookie reply", datagrams(with(kData, 0, 3), 64), true},
      {"cookie reply, a byte long", datagrams(with(kData, 0, 3), 65), false},
      {"keepalive", datagrams(kData, 32), true},
      {"data, a block shorter than a keepalive", datagrams(kData, 16), false},
      {"data that is not padded", datagrams(kData, 100), false},
      {"a full packet of data", datagrams(kData, 1312), true},
      {"a batch of data", datagrams(kData, 63 * 1312 + 100, 1312), true},
      {"a batch of handshakes", datagrams(with(kData, 0, 1), 3 * 148, 148), true},
      {"a batch whose segments are no handshakes", datagrams(with(kData, 0, 1), 148, 74), false},
      {"type 0", datagrams(with(kData, 0, 0), 148), false},
      {"type 5", datagrams(with(kData, 0, 5), 160), false},
      {"a second byte", datagrams(with(kData, 1, 1), 32), false},
      {"a third byte", datagrams(with(kData, 2, 1), 32), false},
      {"a fourth byte", datagrams(with(kData, 3, 1), 32), false},
      {"a DNS question", datagrams({0x12, 0x34, 1, 0, 0, 1, 0, 0}, 48), false},
      {"disco", datagrams(kDisco, 160), false}};
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK((ft_has_wireguard_shape(&row.datagram) != 0) == row.shape);
  }
}

TEST_CASE("a relay's header counts where it arrives, and not where it is sent", "[unit]") {
  struct Row {
    std::string name;
    Head head;
    std::uint32_t datagrams;
    std::uint32_t bytes;
    std::uint64_t sent;
  };
  const std::vector<Row> rows = {{"without a relay", kData, 3, 300, 300},
                                 {"one datagram", kGeneveData, 1, 104, 96},
                                 {"a header and nothing in it", kGeneveData, 1, 8, 0},
                                 {"a batch", kGeneveData, 3, 312, 288}};
  for (const Row& row : rows) {
    INFO(row.name);
    const auto datagram = datagrams(row.head, row.bytes);
    const auto sent =
        ft_count_of_datagrams(row.datagrams, row.bytes, FT_DATAGRAM_WIREGUARD, datagram.head, FT_TX);
    CHECK(sent.packets == row.datagrams);
    CHECK(sent.bytes == row.sent);
    const auto received =
        ft_count_of_datagrams(row.datagrams, row.bytes, FT_DATAGRAM_WIREGUARD, datagram.head, FT_RX);
    CHECK(received.packets == row.datagrams);
    CHECK(received.bytes == row.bytes);
  }
  const auto disco = datagrams(kGeneveDisco, 104);
  CHECK(ft_count_of_datagrams(1, 104, FT_DATAGRAM_DISCO, disco.head, FT_TX).bytes == 104);
}

}  // namespace flowtally
