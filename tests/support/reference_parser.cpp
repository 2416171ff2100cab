#include "support/reference_parser.hpp"

#include <algorithm>
#include <initializer_list>

namespace flowtally::support {
namespace {

using View = std::span<const std::uint8_t>;

constexpr std::size_t kExtensionsMax = 8;

std::uint16_t be16(View bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] * 256U + bytes[at + 1]);
}

AddressBytes address_at(View bytes, std::size_t at, std::size_t size) {
  AddressBytes address{};
  std::ranges::copy(bytes.subspan(at, size), address.begin());
  return address;
}

/// One row of the table: which header size a protocol must have to be believed, and whether it begins with
/// ports.
struct Transport {
  std::uint8_t proto;
  std::uint8_t family;  // 0: either
  std::size_t bytes_min;
  bool has_ports;
};
constexpr Transport kTransports[] = {
    {6, 0, 20, true},  {17, 0, 8, true}, {132, 0, 12, true}, {1, 4, 4, false},
    {58, 6, 4, false}, {2, 4, 8, false}, {99, 0, 7, false},
};

const Transport* transport_of(std::uint8_t proto, std::uint8_t family) {
  const auto* const row = std::ranges::find_if(kTransports, [&](const Transport& transport) {
    return transport.proto == proto && (transport.family == 0 || transport.family == family);
  });
  return row == std::end(kTransports) ? nullptr : row;
}

ReferenceResult later_fragment(ReferencePacket packet, std::size_t blocks) {
  packet.proto = 255;
  packet.later_fragment = true;
  packet.short_fragment = blocks < 10;
  return packet;
}

/// `headers`: bytes before `rest`, where the transport header should be.
ReferenceResult with_transport(ReferencePacket packet, std::uint8_t proto, View rest, std::size_t headers) {
  packet.proto = proto;
  const Transport* const transport = transport_of(proto, packet.family);
  if (transport == nullptr) return packet;
  if (rest.size() < transport->bytes_min) return std::unexpected(FT_UNPARSED_TRUNCATED);
  if (transport->has_ports) {
    packet.source_port = be16(rest, 0);
    packet.destination_port = be16(rest, 2);
  }
  if (proto == 6) {
    const std::size_t words = rest[12] / 16;  // RFC 9293: at least 5
    packet.repeated_bytes = static_cast<std::uint32_t>(headers + std::max<std::size_t>(words, 5) * 4);
  }
  if (proto == 17) packet.repeated_bytes = static_cast<std::uint32_t>(headers + 8);
  return packet;
}

ReferenceResult parse_ipv4(View bytes, bool super_packet) {
  if (bytes.size() < 20) return std::unexpected(FT_UNPARSED_TRUNCATED);
  const std::size_t header_bytes = (bytes[0] % 16) * 4U;
  if (header_bytes < 20) return std::unexpected(FT_UNPARSED_HEADER_LEN);
  if (header_bytes > bytes.size()) return std::unexpected(FT_UNPARSED_TRUNCATED);
  const std::size_t claimed = be16(bytes, 2);
  if (!super_packet && (claimed < header_bytes || claimed > bytes.size())) {
    return std::unexpected(FT_UNPARSED_TOTAL_LEN);
  }
  const ReferencePacket packet{
      .family = 4, .source = address_at(bytes, 12, 4), .destination = address_at(bytes, 16, 4)};
  const std::size_t blocks = be16(bytes, 6) % 0x2000;  // without the three flags
  if (blocks != 0) return later_fragment(packet, blocks);
  return with_transport(packet, bytes[9], bytes.subspan(header_bytes), header_bytes);
}

/// The chain from the header with number `next` on, which begins with `rest`.
ReferenceResult follow_chain(const ReferencePacket& packet, std::uint8_t next, View rest, std::size_t headers,
                             std::size_t walked) {
  const bool walkable = next == 0 || next == 43 || next == 44 || next == 60;
  if (!walkable) return with_transport(packet, next, rest, headers);
  if (walked == kExtensionsMax) return std::unexpected(FT_UNPARSED_EXTENSIONS);
  if (rest.size() < 8) return std::unexpected(FT_UNPARSED_TRUNCATED);
  std::size_t size = 8;
  if (next == 44) {
    const std::size_t blocks = be16(rest, 2) / 8;
    if (blocks != 0) return later_fragment(packet, blocks);
  } else {
    size += rest[1] * std::size_t{8};
  }
  if (rest.size() < size) return std::unexpected(FT_UNPARSED_TRUNCATED);
  return follow_chain(packet, rest[0], rest.subspan(size), headers + size, walked + 1);
}

ReferenceResult parse_ipv6(View bytes, bool super_packet) {
  if (bytes.size() < 40) return std::unexpected(FT_UNPARSED_TRUNCATED);
  if (!super_packet && std::size_t{40} + be16(bytes, 4) > bytes.size()) {
    return std::unexpected(FT_UNPARSED_TOTAL_LEN);
  }
  const ReferencePacket packet{
      .family = 6, .source = address_at(bytes, 8, 16), .destination = address_at(bytes, 24, 16)};
  return follow_chain(packet, bytes[6], bytes.subspan(40), 40, 0);
}

/// True if the first `bits` bits of both are the same.
bool in_prefix(const AddressBytes& address, const AddressBytes& prefix, unsigned bits) {
  for (unsigned bit = 0; bit < bits; bit++) {
    const unsigned mask = 0x80U >> (bit % 8);
    if ((address[bit / 8] & mask) != (prefix[bit / 8] & mask)) return false;
  }
  return true;
}

}  // namespace

ReferenceResult reference_parse(View bytes, bool super_packet) {
  if (bytes.empty()) return std::unexpected(FT_UNPARSED_TRUNCATED);
  switch (bytes[0] / 16) {
    case 4: return parse_ipv4(bytes, super_packet);
    case 6: return parse_ipv6(bytes, super_packet);
    default: return std::unexpected(FT_UNPARSED_NOT_IP);
  }
}

ft_excluded reference_excluded(const ReferencePacket& packet, ft_direction direction) {
  static const AddressBytes kService4 = address_bytes("100.100.100.100");
  static const AddressBytes kService6 = address_bytes("fd7a:115c:a1e0::53");
  static const AddressBytes kMetadata = address_bytes("169.254.169.254");
  static const AddressBytes kMulticast4 = address_bytes("224.0.0.0");
  static const AddressBytes kMulticast6 = address_bytes("ff00::");
  static const AddressBytes kLinkLocal4 = address_bytes("169.254.0.0");
  static const AddressBytes kLinkLocal6 = address_bytes("fe80::");

  const bool v4 = packet.family == 4;
  const AddressBytes& far_end = direction == FT_TX ? packet.destination : packet.source;
  if (far_end == (v4 ? kService4 : kService6)) return FT_EXCLUDED_SERVICE;
  if (direction == FT_RX) return FT_COUNTED;
  if (v4 ? in_prefix(far_end, kMulticast4, 4) : in_prefix(far_end, kMulticast6, 8))
    return FT_EXCLUDED_MULTICAST;
  if (v4 ? in_prefix(far_end, kLinkLocal4, 16) && far_end != kMetadata
         : in_prefix(far_end, kLinkLocal6, 10)) {
    return FT_EXCLUDED_LINK_LOCAL;
  }
  if (packet.short_fragment) return FT_EXCLUDED_FRAGMENT;
  if (packet.later_fragment) return FT_COUNTED;
  const bool never_sent = packet.proto == 0 || packet.proto == 99 || packet.proto == 255;
  return never_sent ? FT_EXCLUDED_PROTOCOL : FT_COUNTED;
}

PacketCount reference_count(std::size_t len, const SkbFields& skb, const ReferencePacket* packet,
                            ft_direction direction) {
  const PacketCount one{.packets = 1, .bytes = len};
  if (skb.gso_size == 0) return one;
  const bool kernel_counted = direction == FT_TX && skb.gso_segs > 1 && skb.wire_len >= len;
  const PacketCount kernel =
      kernel_counted ? PacketCount{.packets = skb.gso_segs, .bytes = skb.wire_len} : one;

  const bool cuttable =
      packet != nullptr && packet->repeated_bytes && skb.gso_size != 0xffff && *packet->repeated_bytes < len;
  if (!cuttable) return kernel;
  PacketCount cut;
  for (std::size_t left = len - *packet->repeated_bytes; left > 0;) {
    const std::size_t segment = std::min<std::size_t>(left, skb.gso_size);
    cut.packets++;
    cut.bytes += *packet->repeated_bytes + segment;
    left -= segment;
  }
  // UDP may carry a tunnel, whose inner headers are repeated too: then the kernel knows more.
  const bool tunnel = kernel_counted && (kernel.packets != cut.packets || kernel.bytes > cut.bytes);
  return packet->proto != 6 && tunnel ? kernel : cut;
}

}  // namespace flowtally::support
