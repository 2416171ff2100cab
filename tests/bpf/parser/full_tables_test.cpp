// Where there is no room, or an insert fails, a packet is counted coarser, but it is counted.
#include <cerrno>
#include <string>

#include <fmt/format.h>

#include "insert_refusal.h"
#include "outcome.hpp"
#include "parser_refusal.skel.h"
#include "support/catch.hpp"
#include "support/prog_run.hpp"

namespace flowtally::support {
namespace {

PacketBuilder to_port(unsigned port) {
  return packet().ipv4("100.64.0.1", "100.64.0.2").udp(5000, static_cast<std::uint16_t>(port));
}

/// One packet to each of `peers` peers, all over UDP but the last, which is ICMP.
void run_to_peers(LoadedProgram& program, Hook hook, unsigned peers) {
  for (unsigned peer = 1; peer <= peers; peer++) {
    const auto to = packet().ipv4("100.64.0.1", fmt::format("100.64.1.{}", peer));
    run_packet(program, hook, peer == peers ? PacketBuilder(to).icmp(8) : PacketBuilder(to).udp(1, 2));
  }
}

ft_counters sum(const ft_counters& left, const ft_counters& right) {
  return {.tx_packets = left.tx_packets + right.tx_packets,
          .tx_bytes = left.tx_bytes + right.tx_bytes,
          .rx_packets = left.rx_packets + right.rx_packets,
          .rx_bytes = left.rx_bytes + right.rx_bytes};
}

/// The equation of abi.h: hook = flows + coarse + rest + unparsed + excluded.
bool adds_up(const Counted& counted) {
  ft_counters all = sum(sum(counted.totals.rest, counted.totals.unparsed), counted.totals.excluded);
  for (const FlowEntry& flow : counted.flows) all = sum(all, flow.counters);
  for (const CoarseEntry& entry : counted.coarse) all = sum(all, entry.counters);
  const ft_counters& hook = counted.totals.hook;
  return all.tx_packets == hook.tx_packets && all.tx_bytes == hook.tx_bytes &&
         all.rx_packets == hook.rx_packets && all.rx_bytes == hook.rx_bytes;
}

TEST_CASE("ten flows in a table of four: four flows, and the rest under their peer") {
  auto program = load_or_skip({.flows_max = 4});
  for (unsigned port = 1; port <= 10; port++) run_packet(program, Hook::kEgressL3, to_port(port));
  const Counted counted = counted_in(program);
  CHECK(counted.flows.size() == 4);
  REQUIRE(counted.coarse.size() == 1);
  CHECK(counted.coarse[0].remote == address_bytes("100.64.0.2"));
  CHECK(counted.coarse[0].proto == 17);
  CHECK(counted.coarse[0].counters.tx_packets == 6);
  CHECK(counted.coarse[0].counters.tx_bytes == 6 * 28);
  CHECK(counted.totals.flow_insert_failures[FT_INSERT_FULL] == 6);
  CHECK(counted.totals.rest.tx_packets == 0);
  CHECK(adds_up(counted));
}

TEST_CASE("a full table goes on counting the flows that it has") {
  auto program = load_or_skip({.flows_max = 4});
  for (int round = 0; round < 3; round++) {
    for (unsigned port = 1; port <= 5; port++) run_packet(program, Hook::kEgressL3, to_port(port));
  }
  const Counted counted = counted_in(program);
  REQUIRE(counted.flows.size() == 4);
  for (const FlowEntry& flow : counted.flows) CHECK(flow.counters.tx_packets == 3);
  REQUIRE(counted.coarse.size() == 1);
  CHECK(counted.coarse[0].counters.tx_packets == 3);
}

TEST_CASE("a full IPv6 table leaves the IPv4 table alone") {
  auto program = load_or_skip({.flows_max = 1});
  run_packet(program, Hook::kIngressL3, packet().ipv6("fd7a::2", "fd7a::1").udp(1, 2));
  run_packet(program, Hook::kIngressL3, packet().ipv6("fd7a::2", "fd7a::1").udp(1, 3));
  run_packet(program, Hook::kIngressL3, packet().ipv4("100.64.0.2", "100.64.0.1").udp(1, 3));
  const Counted counted = counted_in(program);
  CHECK(counted.flows.size() == 2);
  REQUIRE(counted.coarse.size() == 1);
  CHECK(counted.coarse[0].family == 6);
  CHECK(counted.coarse[0].remote == address_bytes("fd7a::2"));
  CHECK(counted.coarse[0].counters.rx_packets == 1);
}

TEST_CASE("ten peers in a table of four and a coarse table of two: the rest by protocol") {
  auto program = load_or_skip({.flows_max = 4, .coarse_max = 2});
  run_to_peers(program, Hook::kEgressL3, 10);
  const Counted counted = counted_in(program);
  CHECK(counted.flows.size() == 4);
  CHECK(counted.coarse.size() == 2);
  CHECK(counted.totals.flow_insert_failures[FT_INSERT_FULL] == 6);
  CHECK(counted.totals.coarse_insert_failures[FT_INSERT_FULL] == 4);
  CHECK(counted.totals.rest.tx_packets == 4);
  CHECK(counted.totals.rest.tx_bytes == 4 * 28);
  CHECK(counted.rest.by_proto[17].tx_packets == 3);
  CHECK(counted.rest.by_proto[1].tx_packets == 1);
  CHECK(adds_up(counted));
}

TEST_CASE("without any inner map everything is in the rest") {
  auto program = load_or_skip({.flows_max = 0, .coarse_max = 0});
  run_packet(program, Hook::kIngressL3, packet().ipv4("100.64.0.2", "100.64.0.1").tcp(1, 2));
  run_packet(program, Hook::kIngressL3, packet().ipv6("fd7a::2", "fd7a::1").tcp(1, 2));
  CHECK(counted_text(program) ==
        "rest proto 6: tx 0/0 rx 2/100\nhook: tx 0/0 rx 2/100\nrest: tx 0/0 rx 2/100\n"
        "flow insert failure 3: 2\ncoarse insert failure 3: 2");
}

LoadedProgram load_refusing(const ft_refusal& refusal) {
  std::size_t size = 0;
  const void* const bytes = parser_refusal::elf_bytes(&size);
  auto program = load_or_skip({.image = {static_cast<const std::byte*>(bytes), size}});
  const auto set = program.set_block(".data.refusal", std::as_bytes(std::span(&refusal, 1)));
  if (!set) FAIL(set.error().text());
  return program;
}

struct Failure {
  int error;
  ft_insert_failure reason;
  __u32 as_int;
};
constexpr Failure kFailures[] = {{-E2BIG, FT_INSERT_FULL, 0},
                                 {-EBUSY, FT_INSERT_BUSY, 0},
                                 {-ENOMEM, FT_INSERT_MEMORY, 0},
                                 {-EINVAL, FT_INSERT_OTHER, 0},
                                 {-E2BIG, FT_INSERT_FULL, 1}};

TEST_CASE("a refused insert is counted under the peer, with its reason") {
  for (const Failure& failure : kFailures) {
    auto program =
        load_refusing({.error = failure.error, .times = 1, .another = 0, .as_int = failure.as_int});
    run_packet(program, Hook::kEgressL3, to_port(7));
    CHECK(counted_text(program) ==
          fmt::format(
              "coarse 4 64400002 proto 17: tx 1/28 rx 0/0\nhook: tx 1/28 rx 0/0\nflow insert failure {}: 1",
              static_cast<int>(failure.reason)));
  }
}

TEST_CASE("a packet that is refused twice is in the rest, with both reasons") {
  for (const Failure& failure : kFailures) {
    auto program =
        load_refusing({.error = failure.error, .times = 2, .another = 0, .as_int = failure.as_int});
    run_packet(program, Hook::kIngressL3, to_port(7));
    const int reason = failure.reason;
    CHECK(counted_text(program) ==
          fmt::format("rest proto 17: tx 0/0 rx 1/28\nhook: tx 0/0 rx 1/28\nrest: tx 0/0 rx 1/28\n"
                      "flow insert failure {}: 1\ncoarse insert failure {}: 1",
                      reason, reason));
  }
}

TEST_CASE("the flow gets its own entry as soon as an insert succeeds again") {
  auto program = load_refusing({.error = -EBUSY, .times = 1, .another = 0, .as_int = 0});
  for (int i = 0; i < 3; i++) run_packet(program, Hook::kEgressL3, to_port(7));
  const Counted counted = counted_in(program);
  REQUIRE(counted.flows.size() == 1);
  CHECK(counted.flows[0].counters.tx_packets == 2);
  CHECK(counted.coarse.size() == 1);
  CHECK(adds_up(counted));
}

TEST_CASE("an entry that another CPU made first is added to, and is no failure") {
  for (const __u32 as_int : {0U, 1U}) {
    auto program = load_refusing({.error = -EEXIST, .times = 1, .another = 1, .as_int = as_int});
    run_packet(program, Hook::kEgressL3, to_port(7));
    // The other CPU's packet, which the seam put there, and this one.
    CHECK(counted_text(program) ==
          "flow 4 64400001:5000 64400002:7 proto 17: tx 2/56 rx 0/0\nhook: tx 1/28 rx 0/0");
  }
}

TEST_CASE("an entry that another CPU made and that is gone again is a failure of another kind") {
  auto program = load_refusing({.error = -EEXIST, .times = 1, .another = 0, .as_int = 0});
  run_packet(program, Hook::kEgressL3, to_port(7));
  CHECK(counted_text(program) ==
        "coarse 4 64400002 proto 17: tx 1/28 rx 0/0\nhook: tx 1/28 rx 0/0\nflow insert failure 3: 1");
}

}  // namespace
}  // namespace flowtally::support
