#include "unit/demo/wire_packets.hpp"

#include <algorithm>

namespace flowtally::test {
namespace {

using demo::get16;
using demo::PacketView;
using demo::put16;
using demo::put32;

std::uint32_t word_sum(PacketView bytes) {
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at < bytes.size(); at++) {
    sum += at % 2 == 0 ? std::uint32_t{bytes[at]} << 8U : bytes[at];
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return sum;
}

std::uint16_t folded(std::uint32_t sum) {
  while (sum > 0xffffU) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

std::uint16_t pseudo_sum(PacketView packet) {
  const bool v4 = packet[0] / 16 == 4;
  const std::uint8_t proto = packet[v4 ? 9 : 6];
  const std::size_t length = packet.size() - transport_at(packet);
  return folded(word_sum(v4 ? packet.subspan(12, 8) : packet.subspan(8, 32)) + proto +
                static_cast<std::uint32_t>(length));
}

std::size_t checksum_at(PacketView packet) {
  const bool tcp = packet[packet[0] / 16 == 4 ? 9 : 6] == demo::kProtoTcp;
  return transport_at(packet) + (tcp ? 16 : 6);
}

std::uint16_t transport_sum(PacketView packet) {
  return folded(word_sum(packet.subspan(transport_at(packet))) + pseudo_sum(packet));
}

void put_ip_header(Bytes& packet, const PacketSpec& spec) {
  const std::uint8_t proto = spec.tcp ? demo::kProtoTcp : demo::kProtoUdp;
  if (!spec.v4) {
    packet[0] = 0x60;
    put16(packet, 4, packet.size() - 40);
    packet[6] = proto;
    packet[7] = 64;
    std::ranges::copy(Bytes{0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0}, packet.begin() + 8);
    std::ranges::copy(Bytes{0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0}, packet.begin() + 24);
    packet[23] = 1;
    packet[39] = 2;
    return;
  }
  packet[0] = 0x45;
  put16(packet, 2, packet.size());
  put16(packet, 4, spec.identification);
  packet[6] = 0x40;  // don't fragment
  packet[8] = 64;
  packet[9] = proto;
  std::ranges::copy(Bytes{100, 64, 0, 1, 100, 64, 0, 2}, packet.begin() + 12);
  put16(packet, 10, folded(word_sum(PacketView(packet).first(20))) ^ 0xffffU);
}

/// Without the checksum of TCP or UDP.
Bytes without_checksum(const PacketSpec& spec) {
  const std::size_t ip_bytes = spec.v4 ? 20 : 40;
  const std::size_t transport_bytes = spec.tcp ? 20 + spec.options : 8;
  Bytes packet(ip_bytes + transport_bytes + spec.payload);
  put_ip_header(packet, spec);
  const demo::PacketBytes transport = demo::PacketBytes(packet).subspan(ip_bytes);
  put16(transport, 0, spec.source_port);
  put16(transport, 2, spec.destination_port);
  if (spec.tcp) {
    put32(transport, 4, spec.sequence);
    put32(transport, 8, 77);
    transport[12] = static_cast<std::uint8_t>(transport_bytes / 4 * 16);
    transport[13] = spec.flags;
    put16(transport, 14, spec.window);
    std::ranges::fill(transport.subspan(20, spec.options), std::uint8_t{1});
  } else {
    put16(transport, 4, transport.size());
  }
  std::uint8_t next = spec.first_payload_byte;
  for (std::uint8_t& byte : transport.subspan(transport_bytes)) byte = next++;
  return packet;
}

}  // namespace

std::size_t transport_at(PacketView packet) {
  return packet[0] / 16 == 4 ? (packet[0] % 16) * std::size_t{4} : 40;
}

std::size_t payload_at(PacketView packet) {
  const std::size_t at = transport_at(packet);
  const bool tcp = packet[packet[0] / 16 == 4 ? 9 : 6] == demo::kProtoTcp;
  return at + (tcp ? packet[at + 12] / 16 * std::size_t{4} : 8);
}

Bytes wire_packet(const PacketSpec& spec) {
  Bytes packet = without_checksum(spec);
  const auto checksum = static_cast<std::uint16_t>(~transport_sum(packet));
  put16(packet, checksum_at(packet), checksum == 0 && !spec.tcp ? 0xffffU : checksum);
  return packet;
}

SuperPacket super_packet(const PacketSpec& spec, std::uint16_t gso_size) {
  SuperPacket super{.bytes = without_checksum(spec)};
  put16(super.bytes, checksum_at(super.bytes), pseudo_sum(super.bytes));
  const demo::Gso tcp = spec.v4 ? demo::Gso::kTcp4 : demo::Gso::kTcp6;
  super.header = {.flags = demo::kNeedsChecksum,
                  .gso_type = static_cast<std::uint8_t>(spec.tcp ? tcp : demo::Gso::kUdp),
                  .hdr_len = 0,  // only a hint
                  .gso_size = gso_size,
                  .csum_start = static_cast<std::uint16_t>(transport_at(super.bytes)),
                  .csum_offset = static_cast<std::uint16_t>(spec.tcp ? 16 : 6)};
  return super;
}

bool sound(PacketView packet) {
  const bool v4 = packet[0] / 16 == 4;
  const std::size_t length = v4 ? get16(packet, 2) : get16(packet, 4) + std::size_t{40};
  if (length != packet.size()) return false;
  if (v4 && folded(word_sum(packet.first(20))) != 0xffffU) return false;
  const bool udp = packet[v4 ? 9 : 6] == demo::kProtoUdp;
  if (udp && get16(packet, transport_at(packet) + 4) != packet.size() - transport_at(packet)) return false;
  return transport_sum(packet) == 0xffffU;
}

void append(demo::PacketBatch& batch, const Bytes& packet) {
  std::ranges::copy(packet, batch.append(packet.size()).begin());
}

std::vector<Bytes> copies(const demo::PacketBatch& batch) {
  std::vector<Bytes> all;
  for (std::size_t index = 0; index < batch.size(); index++) {
    const PacketView packet = batch[index];
    all.emplace_back(packet.begin(), packet.end());
  }
  return all;
}

}  // namespace flowtally::test
