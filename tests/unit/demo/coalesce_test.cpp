#include "demo/coalesce.hpp"

#include <algorithm>
#include <map>
#include <random>

#include "demo/segment.hpp"
#include "support/catch.hpp"
#include "unit/demo/wire_packets.hpp"

using namespace flowtally;
using demo::Coalescer;
using demo::Outgoing;
using demo::PacketBatch;
using test::Bytes;
using test::PacketSpec;

namespace {

/// How many packets each written piece has.
std::vector<std::size_t> group_sizes(const std::vector<Bytes>& packets) {
  PacketBatch batch;
  for (const Bytes& packet : packets) test::append(batch, packet);
  Coalescer coalescer;
  std::vector<std::size_t> sizes;
  for (const Outgoing& outgoing : coalescer.coalesce(batch)) sizes.push_back(outgoing.packets);
  return sizes;
}

/// `count` packets of one flow, each the continuation of the one before.
std::vector<Bytes> run_of(PacketSpec spec, std::size_t count) {
  std::vector<Bytes> packets;
  for (std::size_t index = 0; index < count; index++) {
    packets.push_back(test::wire_packet(spec));
    spec.sequence += static_cast<std::uint32_t>(spec.payload);
    spec.identification++;
  }
  return packets;
}

std::vector<Bytes> back_again(std::span<const Outgoing> pieces) {
  PacketBatch batch;
  for (const Outgoing& piece : pieces) REQUIRE(demo::split(piece.header, piece.bytes, batch));
  return test::copies(batch);
}

using Sizes = std::vector<std::size_t>;

}  // namespace

TEST_CASE("packets that continue one another become one super-packet, which splits into the same bytes") {
  const bool v4 = GENERATE(true, false);
  const bool tcp = GENERATE(true, false);
  std::vector<Bytes> packets = run_of({.v4 = v4, .tcp = tcp, .payload = 1000, .options = tcp ? 12U : 0U}, 9);
  packets.push_back(test::wire_packet({.v4 = v4,
                                       .tcp = tcp,
                                       .payload = 10,
                                       .options = tcp ? 12U : 0U,
                                       .sequence = 10000,
                                       .flags = test::kAck | test::kPsh,
                                       .identification = 16}));
  PacketBatch batch;
  for (const Bytes& packet : packets) test::append(batch, packet);
  Coalescer coalescer;

  const auto pieces = coalescer.coalesce(batch);

  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].packets == 10);
  CHECK(pieces[0].header.gso_size == 1000);
  CHECK(pieces[0].header.csum_start == (v4 ? 20 : 40));
  CHECK(pieces[0].header.hdr_len == test::payload_at(packets[0]));
  CHECK(pieces[0].bytes.size() == test::payload_at(packets[0]) + 9010);
  CHECK(back_again(pieces) == packets);
}

TEST_CASE("a single packet is written as it is") {
  const std::vector<Bytes> packets = run_of({.payload = 50}, 1);
  PacketBatch batch;
  test::append(batch, packets[0]);
  Coalescer coalescer;
  const auto pieces = coalescer.coalesce(batch);
  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].header.flags == 0);
  CHECK(pieces[0].header.gso_type == 0);
  CHECK(std::ranges::equal(pieces[0].bytes, packets[0]));
}

TEST_CASE("what does not continue the packet before it begins a new piece") {
  const PacketSpec first{.payload = 100};
  PacketSpec next{.payload = 100, .sequence = 1100, .identification = 8};
  const auto sizes_with = [&](auto change) {
    PacketSpec changed = next;
    change(changed);
    return group_sizes({test::wire_packet(first), test::wire_packet(changed)});
  };
  CHECK(sizes_with([](PacketSpec&) {}) == Sizes{2});
  CHECK(sizes_with([](PacketSpec& spec) { spec.payload = 99; }) == Sizes{2});
  CHECK(sizes_with([](PacketSpec& spec) { spec.flags = test::kAck | test::kPsh; }) == Sizes{2});
  CHECK(sizes_with([](PacketSpec& spec) { spec.payload = 101; }) == Sizes{1, 1});
  CHECK(sizes_with([](PacketSpec& spec) { spec.payload = 0; }) == Sizes{1, 1});
  CHECK(sizes_with([](PacketSpec& spec) { spec.sequence++; }) == Sizes{1, 1});
  CHECK(sizes_with([](PacketSpec& spec) { spec.identification++; }) == Sizes{1, 1});
  CHECK(sizes_with([](PacketSpec& spec) { spec.window++; }) == Sizes{1, 1});
  CHECK(sizes_with([](PacketSpec& spec) { spec.options = 4; }) == Sizes{1, 1});
  CHECK(sizes_with([](PacketSpec& spec) { spec.source_port++; }) == Sizes{1, 1});
  CHECK(sizes_with([](PacketSpec& spec) { spec.flags = test::kAck | test::kFin; }) == Sizes{1, 1});
  CHECK(sizes_with([](PacketSpec& spec) { spec.flags = test::kSyn; }) == Sizes{1, 1});
  CHECK(sizes_with([](PacketSpec& spec) { spec.flags = test::kAck | test::kCwr; }) == Sizes{1, 1});
  CHECK(sizes_with([](PacketSpec& spec) { spec.v4 = false; }) == Sizes{1, 1});
}

TEST_CASE("PSH and a short packet end their piece") {
  const PacketSpec push{.payload = 100, .flags = test::kAck | test::kPsh};
  const PacketSpec after{.payload = 100, .sequence = 1100, .identification = 8};
  CHECK(group_sizes({test::wire_packet(push), test::wire_packet(after)}) == Sizes{1, 1});

  std::vector<Bytes> packets = run_of({.payload = 100}, 2);
  packets.push_back(test::wire_packet({.payload = 60, .sequence = 1200, .identification = 9}));
  packets.push_back(test::wire_packet({.payload = 60, .sequence = 1260, .identification = 10}));
  CHECK(group_sizes(packets) == Sizes{3, 1});
}

TEST_CASE("a packet with a wrong checksum stays alone, so that it stays wrong") {
  const bool tcp = GENERATE(true, false);
  const std::size_t at = GENERATE(10U, 60U);  // in the IPv4 checksum, in the payload
  std::vector<Bytes> packets = run_of({.tcp = tcp, .payload = 100}, 2);
  packets[1][at] ^= 1U;
  CHECK(group_sizes(packets) == Sizes{1, 1});
}

TEST_CASE("a UDP packet without a checksum stays alone") {
  std::vector<Bytes> packets = run_of({.tcp = false, .payload = 100}, 2);
  demo::put16(packets[1], 26, 0);
  CHECK(group_sizes(packets) == Sizes{1, 1});
}

TEST_CASE("where the device takes no UDP super-packets, datagrams stay single and TCP does not") {
  PacketBatch batch;
  for (const Bytes& packet : run_of({.tcp = false, .payload = 100}, 3)) test::append(batch, packet);
  for (const Bytes& packet : run_of({.payload = 100}, 3)) test::append(batch, packet);
  Coalescer coalescer;
  coalescer.leave_udp_single();
  CHECK(coalescer.coalesce(batch).size() == 4);
}

TEST_CASE("flows may be interleaved") {
  const auto left = run_of({.source_port = 1, .payload = 100}, 3);
  const auto right = run_of({.tcp = false, .source_port = 2, .payload = 70}, 3);
  CHECK(group_sizes({left[0], right[0], left[1], right[1], left[2], right[2]}) == Sizes{3, 3});
}

TEST_CASE("nothing overtakes a packet whose flow cannot be told") {
  const auto packets = run_of({.tcp = false, .payload = 100}, 2);
  Bytes fragment = packets[0];
  fragment[6] = 0x20;  // more fragments follow
  CHECK(group_sizes({packets[0], fragment, packets[1]}) == Sizes{1, 1, 1});
  CHECK(group_sizes({packets[0], Bytes{0x45}, packets[1]}) == Sizes{1, 1, 1});
}

TEST_CASE("a super-packet is never longer than a TUN takes, nor of more segments than Linux takes") {
  const auto long_run = run_of({.payload = 1228, .options = 12}, 60);  // 53 x 1228 + 52 = 65,136
  CHECK(group_sizes(long_run) == Sizes{53, 7});
  const auto datagrams = run_of({.tcp = false, .payload = 10}, 100);
  CHECK(group_sizes(datagrams) == Sizes{demo::kUdpSegmentsMax, 100 - demo::kUdpSegmentsMax});
}

TEST_CASE("a run of largest packets stays within 65535 bytes for IPv6 too") {
  CHECK(group_sizes(run_of({.v4 = false, .payload = 40000}, 2)) == Sizes{1, 1});
}

namespace {

/// Addresses, protocol and ports where they can be told; what has none is a flow of its own.
Bytes flow_of(const Bytes& packet) {
  const bool v4 = !packet.empty() && packet[0] / 16 == 4;
  const std::size_t ip_bytes = v4 ? 20 : 40;
  if (packet.size() < ip_bytes + 4 || (v4 && (packet[0] != 0x45 || (packet[6] & 0x3fU) != 0))) return {};
  const std::size_t from = v4 ? 12 : 8;
  Bytes flow(packet.begin() + static_cast<std::ptrdiff_t>(from),
             packet.begin() + static_cast<std::ptrdiff_t>(ip_bytes + 4));
  flow.push_back(packet[v4 ? 9 : 6]);
  return flow;
}

std::map<Bytes, std::vector<Bytes>> by_flow(const std::vector<Bytes>& packets) {
  std::map<Bytes, std::vector<Bytes>> flows;
  for (const Bytes& packet : packets) flows[flow_of(packet)].push_back(packet);
  return flows;
}

/// Traffic with a memory: four flows that mostly go on as they did, and now and then do something else.
class RandomTraffic {
 public:
  explicit RandomTraffic(std::uint32_t seed) : random_(seed) {
    for (std::uint16_t index = 0; index < 4; index++) {
      flows_.push_back({.v4 = index % 2 == 0,
                        .tcp = index < 2,
                        .source_port = static_cast<std::uint16_t>(1000 + index),
                        .payload = 1 + below(1000),
                        .options = index < 2 ? below(4) * 4 : 0});
    }
  }
  Bytes next() {
    PacketSpec& flow = flows_[below(flows_.size())];
    PacketSpec spec = flow;
    spec.first_payload_byte = static_cast<std::uint8_t>(below(256));
    if (one_in(6)) spec.payload = below(flow.payload + 2);
    if (one_in(10)) spec.flags = static_cast<std::uint8_t>(below(256));
    if (one_in(6)) spec.flags = test::kAck | test::kPsh;
    if (one_in(20)) flow.sequence += 5;
    if (one_in(20)) flow.identification++;
    if (one_in(20)) flow.window++;
    if (one_in(20)) flow.payload = 1 + below(1000);
    flow.sequence = spec.sequence + static_cast<std::uint32_t>(spec.payload);
    flow.identification = static_cast<std::uint16_t>(spec.identification + 1);
    Bytes packet = test::wire_packet(spec);
    if (one_in(25)) packet[below(packet.size())] ^= static_cast<std::uint8_t>(1U << below(8));
    if (one_in(50)) packet.resize(1 + below(packet.size()));
    return packet;
  }
  std::size_t below(std::size_t limit) { return random_() % limit; }

 private:
  bool one_in(std::size_t chances) { return below(chances) == 0; }
  std::mt19937 random_;
  std::vector<PacketSpec> flows_;
};

}  // namespace

TEST_CASE("whatever is coalesced splits into the same packets, in the same order in each flow") {
  RandomTraffic traffic(19790401);
  Coalescer coalescer;
  std::size_t packets_in_all = 0;
  std::size_t pieces_in_all = 0;
  for (int round = 0; round < 500; round++) {
    PacketBatch batch;
    for (std::size_t left = 1 + traffic.below(150); left > 0; left--) test::append(batch, traffic.next());
    const auto before = test::copies(batch);

    const auto pieces = coalescer.coalesce(batch);
    packets_in_all += before.size();
    pieces_in_all += pieces.size();
    const auto after = back_again(pieces);

    REQUIRE(by_flow(after) == by_flow(before));
    for (std::size_t index = 0; index < before.size(); index++) {
      REQUIRE(coalescer.group_of(index) < pieces.size());
    }
  }
  CHECK(pieces_in_all * 4 < packets_in_all * 3);  // else the test shows nothing
}
