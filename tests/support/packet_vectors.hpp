// This file is the table of packets that the parser, the reference parser and the loaded program must all
// agree on: what the packet is, in a sentence, how it is built, and what is to become of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flowtally/abi.h"
#include "support/packet_builder.hpp"
#include "support/reference_parser.hpp"

namespace flowtally::support {

/// What is to become of a packet, in either direction. Made by flow() and unparsed().
class Expected {
 public:
  explicit Expected(ft_unparsed unparsed_reason) : reason(unparsed_reason) {}
  Expected(std::uint8_t protocol, std::uint16_t from_port, std::uint16_t to_port)
      : proto(protocol), source_port(from_port), destination_port(to_port) {}

  Expected& excluded_on_egress(ft_excluded why) { return on_egress = why, *this; }
  Expected& excluded_on_ingress(ft_excluded why) { return on_ingress = why, *this; }
  /// On the wire, in both directions. Without it: one packet, as long as it is.
  Expected& counts(std::uint64_t packets, std::uint64_t bytes) {
    return egress_count = ingress_count = PacketCount{.packets = packets, .bytes = bytes}, *this;
  }
  /// On ingress, where the kernel has counted nothing.
  Expected& counts_on_ingress(std::uint64_t packets, std::uint64_t bytes) {
    return ingress_count = PacketCount{.packets = packets, .bytes = bytes}, *this;
  }

  [[nodiscard]] ft_excluded excluded(ft_direction direction) const {
    return direction == FT_TX ? on_egress : on_ingress;
  }
  [[nodiscard]] PacketCount count(ft_direction direction, std::size_t packet_bytes) const {
    return (direction == FT_TX ? egress_count : ingress_count)
        .value_or(PacketCount{.packets = 1, .bytes = packet_bytes});
  }

  ft_unparsed reason = FT_PARSED;
  std::uint8_t proto = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  ft_excluded on_egress = FT_COUNTED;
  ft_excluded on_ingress = FT_COUNTED;
  std::optional<PacketCount> egress_count{};
  std::optional<PacketCount> ingress_count{};
};

/// A flow between the packet's addresses.
[[nodiscard]] inline Expected flow(std::uint8_t proto, std::uint16_t source_port = 0,
                                   std::uint16_t destination_port = 0) {
  return {proto, source_port, destination_port};
}
[[nodiscard]] inline Expected unparsed(ft_unparsed reason) { return Expected(reason); }

struct PacketVector {
  std::string name;
  PacketBuilder packet;
  Expected expected;
};

// By theme; every list has names that occur once in all of them.
[[nodiscard]] std::vector<PacketVector> transport_vectors();
[[nodiscard]] std::vector<PacketVector> ipv4_header_vectors();
[[nodiscard]] std::vector<PacketVector> fragment_vectors();
[[nodiscard]] std::vector<PacketVector> extension_vectors();
[[nodiscard]] std::vector<PacketVector> exclusion_vectors();
[[nodiscard]] std::vector<PacketVector> super_packet_vectors();

/// All of the above.
[[nodiscard]] std::vector<PacketVector> packet_vectors();

}  // namespace flowtally::support
