// This file is a second opinion on what a packet is and where it belongs: a parser written from the RFCs
// (791, 8200, 9293, 768, 9260) and from the table of Tailscale's rules, for clarity and without a look at the
// BPF program's parser. The two are compared by the unit tests, by the fuzzer and, through BPF_PROG_TEST_RUN,
// in the kernel.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "flowtally/abi.h"
#include "support/packet_builder.hpp"

namespace flowtally::support {

struct ReferencePacket {
  std::uint8_t family = 0;
  std::uint8_t proto = 0;
  AddressBytes source{};
  AddressBytes destination{};
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  bool later_fragment = false;
  bool short_fragment = false;  ///< a later fragment that begins inside the first 80 bytes
  /// Bytes that every segment of a super-packet repeats; none where the transport is not TCP or UDP.
  std::optional<std::uint32_t> repeated_bytes{};
};

/// The packet, or why there is no flow to be had from it.
using ReferenceResult = std::expected<ReferencePacket, ft_unparsed>;

/// `super_packet`: the skb has a gso_size, so its length fields may not be true.
[[nodiscard]] ReferenceResult reference_parse(std::span<const std::uint8_t> bytes, bool super_packet);

/// Why the packet is left out of the flows in this direction, if it is.
[[nodiscard]] ft_excluded reference_excluded(const ReferencePacket& packet, ft_direction direction);

struct PacketCount {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const PacketCount&, const PacketCount&) = default;
};

/// What crosses the wire: a TCP or UDP super-packet is really cut up, segment by segment; for anything else
/// the kernel's numbers are taken, on egress, where it has any. `packet`: none where it was not parsed.
[[nodiscard]] PacketCount reference_count(std::size_t len, const SkbFields& skb,
                                          const ReferencePacket* packet, ft_direction direction);

}  // namespace flowtally::support
