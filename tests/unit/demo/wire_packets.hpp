// This file builds TCP and UDP packets with every checksum complete, and checks checksums, for the tests of
// the demo tailnet. The arithmetic is the slow one of RFC 1071, apart from the code under test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "demo/packet_batch.hpp"
#include "demo/vnet_header.hpp"

namespace flowtally::test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint8_t kFin = 0x01;
inline constexpr std::uint8_t kSyn = 0x02;
inline constexpr std::uint8_t kPsh = 0x08;
inline constexpr std::uint8_t kAck = 0x10;
inline constexpr std::uint8_t kCwr = 0x80;

/// One packet in words; what is not said has a usual value.
struct PacketSpec {
  bool v4 = true;
  bool tcp = true;
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 443;
  std::size_t payload = 100;
  std::size_t options = 0;           ///< bytes of TCP options, a multiple of four
  std::uint32_t sequence = 1000;     ///< TCP
  std::uint8_t flags = kAck;         ///< TCP
  std::uint16_t window = 500;        ///< TCP
  std::uint16_t identification = 7;  ///< IPv4
  std::uint8_t first_payload_byte = 1;
};

[[nodiscard]] Bytes wire_packet(const PacketSpec& spec);

/// A super-packet as the kernel hands it over: lengths of the whole, the pseudo-header's sum in the checksum
/// field.
struct SuperPacket {
  demo::VnetHeader header{};
  Bytes bytes{};
};
[[nodiscard]] SuperPacket super_packet(const PacketSpec& spec, std::uint16_t gso_size);

[[nodiscard]] std::size_t transport_at(demo::PacketView packet);
[[nodiscard]] std::size_t payload_at(demo::PacketView packet);
/// True if the lengths are those of the buffer and the checksums of IPv4 and of TCP or UDP hold.
[[nodiscard]] bool sound(demo::PacketView packet);

void append(demo::PacketBatch& batch, const Bytes& packet);
[[nodiscard]] std::vector<Bytes> copies(const demo::PacketBatch& batch);

}  // namespace flowtally::test
