#include "demo/segment.hpp"

#include <random>

#include "support/catch.hpp"
#include "unit/demo/wire_packets.hpp"

using namespace flowtally;
using demo::get16;
using demo::get32;
using demo::PacketBatch;
using demo::VnetHeader;
using test::Bytes;
using test::PacketSpec;
using test::SuperPacket;

namespace {

std::vector<Bytes> split_all(const SuperPacket& super) {
  PacketBatch batch;
  const auto done = demo::split(super.header, super.bytes, batch);
  INFO((done ? std::string() : done.error().text()));
  REQUIRE(done);
  return test::copies(batch);
}

std::uint8_t flags_of(const Bytes& packet) { return packet[test::transport_at(packet) + 13]; }

}  // namespace

TEST_CASE("every segment has the headers, its share of the payload and sound checksums") {
  const bool v4 = GENERATE(true, false);
  const bool tcp = GENERATE(true, false);
  const std::size_t options = GENERATE(0U, 12U);
  const std::size_t payload = GENERATE(1U, 999U, 1000U, 1001U, 3000U, 3001U, 60000U);
  if (!tcp && options != 0) return;
  const SuperPacket super =
      test::super_packet({.v4 = v4, .tcp = tcp, .payload = payload, .options = options}, 1000);

  const std::vector<Bytes> segments = split_all(super);

  REQUIRE(segments.size() == (payload + 999) / 1000);
  Bytes joined;
  for (std::size_t index = 0; index < segments.size(); index++) {
    const Bytes& segment = segments[index];
    CHECK(test::sound(segment));
    const std::size_t at = test::payload_at(segment);
    CHECK(at == test::payload_at(super.bytes));
    CHECK(segment.size() - at == (index + 1 < segments.size() ? 1000 : payload - 1000 * index));
    joined.insert(joined.end(), segment.begin() + static_cast<std::ptrdiff_t>(at), segment.end());
    if (v4) CHECK(get16(segment, 4) == 7 + index);
    if (tcp) CHECK(get32(segment, test::transport_at(segment) + 4) == 1000 + 1000 * index);
  }
  const auto header_bytes = static_cast<std::ptrdiff_t>(test::payload_at(super.bytes));
  CHECK(joined == Bytes(super.bytes.begin() + header_bytes, super.bytes.end()));
}

TEST_CASE("FIN and PSH stay on the last segment, CWR on the first") {
  const auto flags = static_cast<std::uint8_t>(test::kAck | test::kFin | test::kPsh | test::kCwr);
  const auto segments = split_all(test::super_packet({.payload = 250, .flags = flags}, 100));
  REQUIRE(segments.size() == 3);
  CHECK(flags_of(segments[0]) == (test::kAck | test::kCwr));
  CHECK(flags_of(segments[1]) == test::kAck);
  CHECK(flags_of(segments[2]) == (test::kAck | test::kFin | test::kPsh));
}

TEST_CASE("identification and sequence number wrap around") {
  const auto segments =
      split_all(test::super_packet({.payload = 300, .sequence = 0xffffff9c, .identification = 0xffff}, 100));
  REQUIRE(segments.size() == 3);
  CHECK(get16(segments[1], 4) == 0);
  CHECK(get32(segments[1], 24) == 0);
  CHECK(test::sound(segments[2]));
}

TEST_CASE("the GSO type may carry the ECN flag") {
  SuperPacket super = test::super_packet({.payload = 250}, 100);
  super.header.gso_type = static_cast<std::uint8_t>(super.header.gso_type | demo::kGsoEcn);
  CHECK(split_all(super).size() == 3);
}

TEST_CASE("an IPv6 super-packet with extension headers repeats them") {
  SuperPacket super = test::super_packet({.v4 = false, .payload = 250}, 100);
  const Bytes options{6, 0, 1, 4, 0, 0, 0, 0};  // hop-by-hop with padding, TCP follows
  super.bytes[6] = 0;
  super.bytes.insert(super.bytes.begin() + 40, options.begin(), options.end());
  demo::put16(super.bytes, 4, super.bytes.size() - 40);
  super.header.csum_start = 48;
  const auto segments = split_all(super);
  REQUIRE(segments.size() == 3);
  CHECK(Bytes(segments[2].begin() + 40, segments[2].begin() + 48) == options);
  CHECK(segments[2].size() == 48 + 20 + 50);
  CHECK(get16(segments[2], 4) == segments[2].size() - 40);
}

TEST_CASE("an ordinary packet is copied, its checksum completed where asked for") {
  const Bytes whole = test::wire_packet({.payload = 33});
  const SuperPacket ordinary{.bytes = whole};
  CHECK(split_all(ordinary) == std::vector<Bytes>{whole});

  SuperPacket partial = test::super_packet({.payload = 33}, 100);
  partial.header.gso_type = 0;
  partial.header.gso_size = 0;
  CHECK(split_all(partial) == std::vector<Bytes>{whole});
}

TEST_CASE("headers that do not hold together are refused and leave the batch as it was") {
  struct Case {
    const char* what;
    VnetHeader header;
    std::size_t size;
  };
  const SuperPacket good = test::super_packet({.payload = 500}, 100);
  const auto changed = [&](auto change) {
    VnetHeader header = good.header;
    change(header);
    return header;
  };
  const std::size_t all = good.bytes.size();
  const std::vector<Case> cases{
      {"nothing", good.header, 0},
      {"half an IP header", good.header, 19},
      {"half a TCP header", good.header, 39},
      {"no segment size", changed([](VnetHeader& header) { header.gso_size = 0; }), all},
      {"no checksum to complete", changed([](VnetHeader& header) { header.flags = 0; }), all},
      {"the other IP version", changed([](VnetHeader& header) { header.gso_type = 4; }), all},
      {"an unknown type", changed([](VnetHeader& header) { header.gso_type = 3; }), all},
      {"a transport header inside the IP header", changed([](VnetHeader& header) { header.csum_start = 16; }),
       all},
      {"a transport header beyond the end", changed([](VnetHeader& header) { header.csum_start = 60000; }),
       all},
      {"a checksum elsewhere", changed([](VnetHeader& header) { header.csum_offset = 6; }), all},
      {"an ordinary packet of no bytes", VnetHeader{}, 0},
      {"an ordinary checksum beyond the end",
       VnetHeader{.flags = demo::kNeedsChecksum, .csum_start = 20, .csum_offset = 65535}, all},
      {"an ordinary checksum over nothing",
       VnetHeader{.flags = demo::kNeedsChecksum, .csum_start = 540, .csum_offset = 0}, all},
  };
  for (const Case& row : cases) {
    INFO(row.what);
    PacketBatch batch;
    test::append(batch, good.bytes);
    CHECK_FALSE(demo::split(row.header, demo::PacketView(good.bytes).first(row.size), batch));
    CHECK(test::copies(batch) == std::vector<Bytes>{good.bytes});
  }
}

TEST_CASE("an impossible TCP data offset is refused") {
  SuperPacket super = test::super_packet({.payload = 10}, 5);
  const std::uint8_t offset = GENERATE(std::uint8_t{0x40}, std::uint8_t{0xf0});
  super.bytes[32] = offset;
  PacketBatch batch;
  CHECK_FALSE(demo::split(super.header, super.bytes, batch));
}

TEST_CASE("more segments than the limit are refused") {
  PacketBatch batch;
  const SuperPacket most = test::super_packet({.payload = demo::kSegmentsMax}, 1);
  CHECK(demo::split(most.header, most.bytes, batch));
  CHECK(batch.size() == demo::kSegmentsMax);
  const SuperPacket more = test::super_packet({.payload = demo::kSegmentsMax + 1}, 1);
  CHECK_FALSE(demo::split(more.header, more.bytes, batch));
}

TEST_CASE("no header and no bytes can make split read or write outside") {
  // Random bytes behind random headers, near sound ones half of the time; the sanitizers watch.
  std::mt19937 random(20240611);
  const auto number = [&](std::uint32_t below) { return static_cast<std::uint16_t>(random() % below); };
  PacketBatch batch;
  for (int round = 0; round < 20000; round++) {
    const PacketSpec spec{.v4 = number(2) == 0,
                          .tcp = number(2) == 0,
                          .payload = number(300),
                          .options = number(4) * std::size_t{4}};
    SuperPacket super = test::super_packet(spec, static_cast<std::uint16_t>(1 + number(200)));
    for (int changes = number(4); changes > 0; changes--) {
      super.bytes[number(static_cast<std::uint32_t>(super.bytes.size()))] =
          static_cast<std::uint8_t>(number(256));
    }
    if (number(2) == 0) super.bytes.resize(number(static_cast<std::uint32_t>(super.bytes.size())));
    if (number(4) == 0) super.header.csum_start = number(80);
    if (number(8) == 0) super.header.csum_offset = number(600);
    if (number(8) == 0) super.header.gso_type = static_cast<std::uint8_t>(number(256));
    if (number(8) == 0) super.header.flags = static_cast<std::uint8_t>(number(2));
    batch.clear();
    const Bytes exact(super.bytes);  // no slack behind the end
    if (!demo::split(super.header, exact, batch)) CHECK(batch.empty());
  }
}
