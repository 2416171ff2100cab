#include "demo/packet_bytes.hpp"

#include <bit>
#include <cstring>

namespace flowtally::demo {
namespace {

std::uint16_t fold(std::uint64_t sum) noexcept {
  while (sum > 0xffffU) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace

// Sums words in the machine's order, four bytes at a time: the ones' complement sum of swapped words is the
// swapped sum (RFC 1071 section 2). 65,535 bytes cannot overflow 64 bits.
std::uint16_t ones_sum(PacketView bytes) noexcept {
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t sum = 0;
  for (; left >= 8; left -= 8, at += 8) {
    std::uint32_t words[2];
    std::memcpy(words, at, 8);
    sum += std::uint64_t{words[0]} + words[1];
  }
  std::uint8_t tail[8] = {};
  if (left != 0) std::memcpy(tail, at, left);
  std::uint32_t words[2];
  std::memcpy(words, tail, 8);
  const std::uint16_t folded = fold(sum + words[0] + words[1]);
  if constexpr (std::endian::native == std::endian::big) return folded;
  return static_cast<std::uint16_t>((folded << 8U) | (folded >> 8U));
}

std::uint16_t pseudo_header_sum(PacketView packet, std::size_t transport_at, std::uint8_t proto) noexcept {
  const bool v4 = packet[0] >> 4U == 4;
  const std::uint16_t addresses = v4 ? ones_sum(packet.subspan(12, 8)) : ones_sum(packet.subspan(8, 32));
  const auto length = static_cast<std::uint16_t>(packet.size() - transport_at);
  return ones_add(ones_add(addresses, proto), length);
}

void put_ipv4_checksum(PacketBytes packet) noexcept {
  const std::size_t header_bytes = (packet[0] & 0x0fU) * std::size_t{4};
  put16(packet, 10, 0);
  const std::uint16_t sum = ones_sum(packet.first(header_bytes));
  put16(packet, 10, static_cast<std::uint16_t>(~sum));
}

}  // namespace flowtally::demo
