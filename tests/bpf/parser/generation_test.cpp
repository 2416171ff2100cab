// Which generation a packet is counted in, and how a generation that fills up says so.
#include "outcome.hpp"
#include "support/catch.hpp"
#include "support/prog_run.hpp"

namespace flowtally::support {
namespace {

PacketBuilder to_port(unsigned port) {
  return packet().ipv4("100.64.0.1", "100.64.0.2").udp(5000, static_cast<std::uint16_t>(port));
}

PacketBuilder to_port6(unsigned port) {
  return packet().ipv6("fd7a::1", "fd7a::2").udp(5000, static_cast<std::uint16_t>(port));
}

std::vector<ft_pressure_event> events_of(LoadedProgram& program) {
  auto events = program.pressure_events();
  if (!events) FAIL(events.error().text());
  return std::move(*events);
}

TEST_CASE("the program carries the version of its ABI") {
  auto program = load_or_skip();
  CHECK(program.control().abi_version == FT_ABI_VERSION);
}

TEST_CASE("packets are counted in the active generation and nowhere else") {
  auto program = load_or_skip({.coarse_max = 0});
  program.control().active = 1;
  run_packet(program, Hook::kEgressL3, to_port(1));
  CHECK(counted_text(program, 0) == "");
  CHECK(counted_in(program, 1).flows.size() == 1);
  program.control().active = 0;
  run_packet(program, Hook::kEgressL3, to_port(1));
  CHECK(counted_text(program, 0) == counted_text(program, 1));
}

TEST_CASE("an active generation that does not exist is one that does") {
  auto program = load_or_skip();
  program.control().active = 0xffffffff;
  run_packet(program, Hook::kEgressL3, to_port(1));
  CHECK(counted_in(program, 1).flows.size() == 1);
}

TEST_CASE("inserts are counted per family, repeated packets are not") {
  auto program = load_or_skip();
  for (int round = 0; round < 2; round++) {
    for (unsigned port = 1; port <= 3; port++) run_packet(program, Hook::kEgressL3, to_port(port));
    for (unsigned port = 1; port <= 2; port++) run_packet(program, Hook::kEgressL3, to_port6(port));
  }
  CHECK(program.control().generation[0].flows4 == 3);
  CHECK(program.control().generation[0].flows6 == 2);
  CHECK(program.control().generation[1].flows4 == 0);
  CHECK(events_of(program).empty());
}

TEST_CASE("a generation that reaches its mark signals once") {
  auto program = load_or_skip({.pressure = 4});
  for (unsigned port = 1; port <= 3; port++) run_packet(program, Hook::kEgressL3, to_port(port));
  CHECK(events_of(program).empty());
  for (unsigned port = 4; port <= 9; port++) run_packet(program, Hook::kEgressL3, to_port(port));
  const auto events = events_of(program);
  REQUIRE(events.size() == 1);
  CHECK(events[0].index == 0);
  CHECK(events[0].flows4 == 4);
  CHECK(events[0].flows6 == 0);
  CHECK(program.control().generation[0].signalled == 1);
}

TEST_CASE("either family's mark is enough") {
  auto program = load_or_skip({.pressure = 2});
  for (unsigned port = 1; port <= 2; port++) run_packet(program, Hook::kIngressL3, to_port6(port));
  const auto events = events_of(program);
  REQUIRE(events.size() == 1);
  CHECK(events[0].flows6 == 2);
}

TEST_CASE("each generation has a signal of its own") {
  auto program = load_or_skip({.pressure = 1});
  run_packet(program, Hook::kEgressL3, to_port(1));
  program.control().active = 1;
  run_packet(program, Hook::kEgressL3, to_port(1));
  const auto events = events_of(program);
  REQUIRE(events.size() == 2);
  CHECK(events[0].index == 0);
  CHECK(events[1].index == 1);
}

TEST_CASE("a generation that was emptied signals again") {
  auto program = load_or_skip({.pressure = 1});
  run_packet(program, Hook::kEgressL3, to_port(1));
  REQUIRE(program.clear(0).has_value());
  run_packet(program, Hook::kEgressL3, to_port(2));
  CHECK(events_of(program).size() == 2);
}

TEST_CASE("a signal that finds no room is counted, and the packet too") {
  auto program = load_or_skip({.pressure = 1});
  ft_generation& generation = program.control().generation[0];
  constexpr unsigned kSignals = 400;  // of 24 bytes each, in a ring of 4,096
  for (unsigned port = 1; port <= kSignals; port++) {
    generation.signalled = 0;
    run_packet(program, Hook::kEgressL3, to_port(port));
  }
  const auto events = events_of(program);
  CHECK(events.size() > 100);
  CHECK(generation.lost_signals > 0);
  CHECK(events.size() + generation.lost_signals == kSignals);
  CHECK(counted_in(program).totals.hook.tx_packets == kSignals);
}

}  // namespace
}  // namespace flowtally::support
