#include "demo/wire_count.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "support/catch.hpp"
#include "support/packet_builder.hpp"

using namespace flowtally;
using demo::Direction;
using demo::WireCounter;
using support::packet;
using support::PacketBuilder;

namespace {

constexpr const char* kA4 = "100.64.0.1";
constexpr const char* kB4 = "100.64.0.2";
constexpr const char* kA6 = "fd7a:115c:a1e0::1";
constexpr const char* kB6 = "fd7a:115c:a1e0::2";

model::Address address(std::string_view text) {
  return {.family = text.contains(':') ? model::Address::Family::kV6 : model::Address::Family::kV4,
          .bytes = support::address_bytes(text)};
}

struct Expected {
  std::uint8_t proto;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
};

struct Row {
  const char* what;
  PacketBuilder packet;
  Expected flow;
};

/// The packet's flow as the sender sees it.
model::Flow flow_of(const Row& row, std::size_t bytes) {
  const bool v4 = row.packet.family() == 4;
  return {.local = {.address = address(v4 ? kA4 : kA6), .port = row.flow.source_port},
          .remote = {.address = address(v4 ? kB4 : kB6), .port = row.flow.destination_port},
          .proto = row.flow.proto,
          .counters = {.tx_packets = 1, .tx_bytes = bytes}};
}

PacketBuilder v4() { return packet().ipv4(kA4, kB4); }
PacketBuilder v6() { return packet().ipv6(kA6, kB6); }

}  // namespace

TEST_CASE("a packet is counted under its protocol, addresses and ports, for both ends") {
  const std::vector<Row> rows{
      {"TCP", v4().tcp(40000, 443).payload(100), {6, 40000, 443}},
      {"UDP", v4().udp(40000, 53).payload(10), {17, 40000, 53}},
      {"SCTP", v4().sctp(5000, 5001), {132, 5000, 5001}},
      {"ICMP", v4().icmp(8).payload(56), {1}},
      {"IGMP", v4().igmp(), {2}},
      {"GRE", v4().gre(), {47}},
      {"ESP", v4().esp(), {50}},
      {"AH is not walked", v4().authentication().tcp(1, 2), {51}},
      {"IPv4 options", v4().ihl(8).udp(1, 2), {17, 1, 2}},
      {"a first fragment", v4().fragment(0, true).udp(7, 8).payload(1000), {17, 7, 8}},
      {"a later fragment", v4().fragment(1256, true).payload(1000), {255}},
      {"the last fragment", v4().fragment(80, false).payload(3), {255}},
      {"padding counts", v4().udp(1, 2).pad(18), {17, 1, 2}},
      {"TCP over IPv6", v6().tcp(40000, 443).payload(100), {6, 40000, 443}},
      {"ICMPv6", v6().icmpv6(128).payload(56), {58}},
      {"hop-by-hop options", v6().hop_by_hop().udp(1, 2), {17, 1, 2}},
      {"a long chain", v6().hop_by_hop(3).routing(2).destination_options().tcp(1, 2), {6, 1, 2}},
      {"AH over IPv6", v6().authentication().tcp(1, 2), {51}},
      {"a first IPv6 fragment", v6().fragment_header(0, true).udp(7, 8).payload(1000), {17, 7, 8}},
      {"a later IPv6 fragment", v6().fragment_header(1232, true).payload(1000), {255}},
      {"a fragment behind options",
       v6().destination_options().fragment_header(1232, false).payload(9),
       {255}},
      {"no next header", v6().no_next_header(), {59}},
  };
  for (const Row& row : rows) {
    INFO(row.what << ": " << support::rebuild_command(row.packet.bytes()));
    const support::Bytes bytes = row.packet.bytes();
    const model::Flow sent = flow_of(row, bytes.size());
    WireCounter sender;
    sender.count(Direction::kTx, bytes);
    CHECK(sender.flows() == std::vector{sent});
    CHECK(sender.totals() == demo::WireTotals{.all = sent.counters, .unparsed = {}, .excluded = {}});

    WireCounter receiver;
    receiver.count(Direction::kRx, bytes);
    const model::Flow received{.local = sent.remote,
                               .remote = sent.local,
                               .proto = sent.proto,
                               .counters = {.rx_packets = 1, .rx_bytes = bytes.size()}};
    CHECK(receiver.flows() == std::vector{received});
  }
}

TEST_CASE("what is not a whole packet is counted apart") {
  const std::vector<support::Bytes> broken{
      {},
      {0x45},
      support::Bytes(60, 0x50),
      v4().udp(1, 2).truncate(19).bytes(),
      v4().udp(1, 2).truncate(27).bytes(),
      v4().tcp(1, 2).truncate(39).length_field(39).bytes(),
      v4().ihl(4).udp(1, 2).bytes(),
      v4().length_field(100).udp(1, 2).bytes(),
      v4().length_field(19).udp(1, 2).bytes(),
      v4().icmp(8).truncate(23).bytes(),
      v6().udp(1, 2).truncate(39).bytes(),
      v6().length_field(9).udp(1, 2).bytes(),
      v6().hop_by_hop(5).truncate(50).bytes(),
      v6().hop_by_hop()
          .hop_by_hop()
          .hop_by_hop()
          .hop_by_hop()
          .hop_by_hop()
          .hop_by_hop()
          .hop_by_hop()
          .hop_by_hop()
          .hop_by_hop()
          .udp(1, 2)
          .bytes(),
  };
  for (const support::Bytes& bytes : broken) {
    INFO(support::rebuild_command(bytes));
    WireCounter counter;
    counter.count(Direction::kRx, bytes);
    CHECK(counter.flows().empty());
    CHECK(counter.totals().unparsed == model::Counters{.rx_packets = 1, .rx_bytes = bytes.size()});
    CHECK(counter.totals().all == counter.totals().unparsed);
  }
}

TEST_CASE("what Tailscale leaves out on the way out is counted apart") {
  struct Destination {
    const char* address;
    bool excluded;
  };
  const std::vector<Destination> destinations{
      {"100.100.100.100", true},
      {"100.100.100.101", false},
      {"224.0.0.1", true},
      {"239.255.255.250", true},
      {"240.0.0.1", false},
      {"255.255.255.255", false},
      {"169.254.0.1", true},
      {"169.254.169.253", true},
      {"169.254.169.254", false},
      {"169.253.0.1", false},
      {"fd7a:115c:a1e0::53", true},
      {"fd7a:115c:a1e0::54", false},
      {"ff02::fb", true},
      {"fe80::1", true},
      {"febf::1", true},
      {"fec0::1", false},
  };
  for (const Destination& to : destinations) {
    INFO(to.address);
    const bool is_v6 = std::string_view(to.address).contains(':');
    const auto bytes =
        (is_v6 ? packet().ipv6(kA6, to.address) : packet().ipv4(kA4, to.address)).udp(1, 2).bytes();
    WireCounter out;
    out.count(Direction::kTx, bytes);
    CHECK(out.totals().excluded.tx_packets == (to.excluded ? 1 : 0));
    CHECK(out.flows().size() == (to.excluded ? 0 : 1));
    WireCounter in;  // the same packet coming in: only its source matters
    in.count(Direction::kRx, bytes);
    CHECK(in.flows().size() == 1);
  }
}

TEST_CASE("answers of Tailscale's services are left out on the way in") {
  WireCounter counter;
  counter.count(Direction::kRx, packet().ipv4("100.100.100.100", kA4).udp(53, 40000).bytes());
  counter.count(Direction::kRx, packet().ipv6("fd7a:115c:a1e0::53", kA6).udp(53, 40000).bytes());
  CHECK(counter.totals().excluded.rx_packets == 2);
  CHECK(counter.flows().empty());
  counter.count(Direction::kRx, packet().ipv6("fe80::1", kA6).udp(53, 40000).bytes());
  CHECK(counter.flows().size() == 1);
}

TEST_CASE("what tailscaled never sends for the host is left out on the way out only") {
  const std::vector<PacketBuilder> never{
      v4().fragment(72, true).payload(100),  v6().fragment_header(72, true).payload(100),
      v4().transport(99, support::Bytes(7)), v4().transport(255, support::Bytes(7)),
      v4().transport(0, support::Bytes(7)),
  };
  for (const PacketBuilder& builder : never) {
    const support::Bytes bytes = builder.bytes();
    INFO(support::rebuild_command(bytes));
    WireCounter counter;
    counter.count(Direction::kTx, bytes);
    CHECK(counter.totals().excluded.tx_packets == 1);
    counter.count(Direction::kRx, bytes);
    CHECK(counter.totals().excluded.rx_packets == 0);
    CHECK(counter.flows().size() == 1);
  }
}

TEST_CASE("both directions of a connection are one flow, and counters add up") {
  WireCounter counter;
  counter.count(Direction::kTx, packet().ipv4(kA4, kB4).tcp(40000, 80).payload(60).bytes());
  counter.count(Direction::kRx, packet().ipv4(kB4, kA4).tcp(80, 40000).payload(160).bytes());
  WireCounter other;
  other.count(Direction::kRx, packet().ipv4(kB4, kA4).tcp(80, 40000).payload(160).bytes());
  other.count(Direction::kRx, {});
  counter.add(other);

  const model::Counters expected{.tx_packets = 1, .tx_bytes = 100, .rx_packets = 2, .rx_bytes = 400};
  REQUIRE(counter.flows().size() == 1);
  CHECK(counter.flows()[0].counters == expected);
  CHECK(counter.totals().all == expected + counter.totals().unparsed);
}
