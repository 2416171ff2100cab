// This file is the small change of packet code: numbers in network byte order and the Internet checksum (RFC
// 1071).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace flowtally::demo {

using PacketView = std::span<const std::uint8_t>;
using PacketBytes = std::span<std::uint8_t>;

// Callers have checked that the bytes are there.
[[nodiscard]] inline std::uint16_t get16(PacketView packet, std::size_t at) noexcept {
  return static_cast<std::uint16_t>((packet[at] << 8U) | packet[at + 1]);
}

[[nodiscard]] inline std::uint32_t get32(PacketView packet, std::size_t at) noexcept {
  return (std::uint32_t{get16(packet, at)} << 16U) | get16(packet, at + 2);
}

inline void put16(PacketBytes packet, std::size_t at, std::size_t value) noexcept {
  packet[at] = static_cast<std::uint8_t>((value >> 8U) & 0xffU);
  packet[at + 1] = static_cast<std::uint8_t>(value & 0xffU);
}

inline void put32(PacketBytes packet, std::size_t at, std::uint32_t value) noexcept {
  put16(packet, at, value >> 16U);
  put16(packet, at + 2, value & 0xffffU);
}

/// Ones' complement sum of two 16-bit numbers.
[[nodiscard]] inline std::uint16_t ones_add(std::uint16_t left, std::uint16_t right) noexcept {
  const std::uint32_t sum = std::uint32_t{left} + right;
  return static_cast<std::uint16_t>((sum & 0xffffU) + (sum >> 16U));
}

/// Ones' complement sum of the 16-bit words of `bytes`, not inverted; an odd last byte is padded with zero.
[[nodiscard]] std::uint16_t ones_sum(PacketView bytes) noexcept;

/// The sum over the pseudo-header of a TCP or UDP packet without extension headers (RFC 9293 3.1, RFC
/// 8200 8.1). `transport_at` is where the TCP or UDP header begins; everything from there on is the
/// transport's length.
[[nodiscard]] std::uint16_t pseudo_header_sum(PacketView packet, std::size_t transport_at,
                                              std::uint8_t proto) noexcept;

/// Sets the header checksum of the IPv4 packet.
void put_ipv4_checksum(PacketBytes packet) noexcept;

}  // namespace flowtally::demo
