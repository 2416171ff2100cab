// This file says where a packet must be found after the program has seen it: in exactly one place, with these
// counts.
#pragma once

#include <span>
#include <string>

#include "support/catch.hpp"
#include "support/packet_vectors.hpp"
#include "support/prog_run.hpp"
#include "support/reference_parser.hpp"

namespace flowtally::support {

/// A loaded program; without the right to load one the test is skipped, any other failure fails it.
[[nodiscard]] inline LoadedProgram load_or_skip(const LoadedProgram::Options& options = {}) {
  if (!may_load_programs()) SKIP("needs root, or CAP_BPF and CAP_NET_ADMIN, to load BPF programs");
  auto program = LoadedProgram::load(options);
  if (!program) FAIL(program.error().text());
  return std::move(*program);
}

/// Runs one packet that the kernel must take; the verdict must be "next" and the packet untouched.
inline void run_packet(LoadedProgram& program, Hook hook, const PacketBuilder& packet) {
  const Bytes bytes = packet.bytes();
  const auto run = program.run(hook, bytes, packet.skb());
  if (!run) FAIL(run.error().text());
  if (run->verdict != -1) FAIL("the verdict is " << run->verdict);
  if (run->packet != bytes) FAIL("the packet was changed");
}

/// All counters of a generation, as describe() writes them.
[[nodiscard]] inline std::string counted_text(const LoadedProgram& program, std::uint32_t generation = 0) {
  const auto counted = program.read(generation);
  return counted ? describe(*counted) : counted.error().text();
}

[[nodiscard]] inline Counted counted_in(const LoadedProgram& program, std::uint32_t generation = 0) {
  auto counted = program.read(generation);
  if (!counted) FAIL(counted.error().text());
  return std::move(*counted);
}

[[nodiscard]] inline ft_counters counters_of(PacketCount count, ft_direction direction) {
  ft_counters counters{};
  (direction == FT_TX ? counters.tx_packets : counters.rx_packets) = count.packets;
  (direction == FT_TX ? counters.tx_bytes : counters.rx_bytes) = count.bytes;
  return counters;
}

/// The generation's counters after this packet of the table and nothing else.
[[nodiscard]] Counted expected_of(const PacketVector& vector, ft_direction direction);

/// The same by the reference parser, for any bytes.
[[nodiscard]] Counted expected_by_reference(std::span<const std::uint8_t> bytes, const SkbFields& skb,
                                            ft_direction direction);

}  // namespace flowtally::support
