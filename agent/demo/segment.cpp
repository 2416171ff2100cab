// This file follows what tcp_gso_segment() and __udp_gso_segment() of Linux do, seen from outside:
// identification and sequence number advance, FIN and PSH go to the last segment, CWR to the first. The
// pseudo-header's sum is taken from the checksum field, where the kernel has put it with the whole length:
// that is right even behind a routing header, whose final destination only the kernel knows.
#include "demo/segment.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace flowtally::demo {
namespace {

constexpr std::size_t kTcpFlagsAt = 13;
constexpr std::uint8_t kFin = 0x01;
constexpr std::uint8_t kPsh = 0x08;
constexpr std::uint8_t kCwr = 0x80;
constexpr std::size_t kTcpChecksumAt = 16;
constexpr std::size_t kUdpChecksumAt = 6;

base::Error malformed(std::string what) { return {base::ErrorCode::kCorrupt, std::move(what)}; }

/// Where things are in a super-packet.
struct Layout {
  bool v4 = false;
  bool tcp = false;
  std::size_t transport_at = 0;
  std::size_t header_bytes = 0;  // all that each segment repeats
  std::size_t segment_bytes = 0;
  std::size_t segments = 1;
};

/// The length of the IP header as far as it is fixed, or 0 where there is none.
std::size_t ip_header_bytes(PacketView packet) {
  if (packet.empty()) return 0;
  const unsigned version = packet[0] >> 4U;
  if (version == 6) return packet.size() >= 40 ? 40 : 0;
  if (version != 4) return 0;
  const std::size_t bytes = (packet[0] & 0x0fU) * std::size_t{4};
  return bytes >= 20 && bytes <= packet.size() ? bytes : 0;
}

base::Result<Layout> layout_of(const VnetHeader& header, Gso gso, PacketView packet) {
  const std::size_t ip_bytes = ip_header_bytes(packet);
  if (ip_bytes == 0) return base::fail(malformed("super-packet without a whole IP header"));
  Layout layout{.v4 = packet[0] >> 4U == 4,
                .tcp = gso != Gso::kUdp,
                .transport_at = header.csum_start,
                .segment_bytes = header.gso_size};
  const bool family_fits = gso == Gso::kUdp || (gso == Gso::kTcp4) == layout.v4;
  if (!family_fits) return base::fail(malformed("super-packet of another IP version than its GSO type"));
  if ((header.flags & kNeedsChecksum) == 0 || header.gso_size == 0) {
    return base::fail(malformed("super-packet without a segment size or a checksum to complete"));
  }
  if (layout.v4 ? layout.transport_at != ip_bytes : layout.transport_at < ip_bytes) {
    return base::fail(
        malformed(fmt::format("super-packet whose transport header begins at {}", header.csum_start)));
  }
  const std::size_t transport_min = layout.tcp ? 20 : 8;
  if (header.csum_offset != (layout.tcp ? kTcpChecksumAt : kUdpChecksumAt) ||
      packet.size() < layout.transport_at + transport_min) {
    return base::fail(malformed("super-packet without a whole transport header"));
  }
  const std::size_t transport_bytes =
      layout.tcp ? (packet[layout.transport_at + 12] >> 4U) * std::size_t{4} : transport_min;
  layout.header_bytes = layout.transport_at + transport_bytes;
  if (transport_bytes < transport_min || layout.header_bytes > packet.size()) {
    return base::fail(malformed("super-packet whose TCP data offset is impossible"));
  }
  const std::size_t payload = packet.size() - layout.header_bytes;
  layout.segments = std::max<std::size_t>(1, (payload + layout.segment_bytes - 1) / layout.segment_bytes);
  if (layout.segments > kSegmentsMax) {
    return base::fail(
        malformed(fmt::format("super-packet of {} segments, {} at most", layout.segments, kSegmentsMax)));
  }
  return layout;
}

/// Completes the checksum whose field at `checksum_at` holds `partial`, over everything from `transport_at`
/// on.
void complete_checksum(PacketBytes packet, std::size_t transport_at, std::size_t checksum_at,
                       std::uint16_t partial, bool zero_means_none) {
  put16(packet, checksum_at, 0);
  const std::uint16_t sum = ones_add(ones_sum(packet.subspan(transport_at)), partial);
  const auto checksum = static_cast<std::uint16_t>(~sum);
  put16(packet, checksum_at, checksum == 0 && zero_means_none ? 0xffffU : checksum);
}

void write_segment(PacketBytes segment, const Layout& layout, std::size_t index, std::size_t super_bytes) {
  const bool last = index + 1 == layout.segments;
  if (layout.v4) {
    put16(segment, 2, segment.size());
    put16(segment, 4, get16(segment, 4) + index);
    put_ipv4_checksum(segment);
  } else {
    put16(segment, 4, segment.size() - 40);
  }
  const PacketBytes transport = segment.subspan(layout.transport_at);
  if (layout.tcp) {
    put32(transport, 4, static_cast<std::uint32_t>(get32(transport, 4) + index * layout.segment_bytes));
    unsigned flags = transport[kTcpFlagsAt];
    if (!last) flags &= 0xffU & ~(unsigned{kFin} | kPsh);
    if (index != 0) flags &= 0xffU & ~unsigned{kCwr};
    transport[kTcpFlagsAt] = static_cast<std::uint8_t>(flags);
  } else {
    put16(transport, 4, transport.size());
  }
  // The field has the pseudo-header's sum with the length of the whole: exchange the length (RFC 1624).
  const std::size_t checksum_at = layout.transport_at + (layout.tcp ? kTcpChecksumAt : kUdpChecksumAt);
  const auto whole = static_cast<std::uint16_t>(super_bytes - layout.transport_at);
  const auto own = static_cast<std::uint16_t>(transport.size());
  const std::uint16_t partial =
      ones_add(ones_add(get16(segment, checksum_at), static_cast<std::uint16_t>(~whole)), own);
  complete_checksum(segment, layout.transport_at, checksum_at, partial, !layout.tcp);
}

base::Status copy_ordinary(const VnetHeader& header, PacketView packet, PacketBatch& out) {
  const bool partial = (header.flags & kNeedsChecksum) != 0;
  const std::size_t checksum_at = std::size_t{header.csum_start} + header.csum_offset;
  if (packet.empty()) return base::fail(malformed("packet of no bytes"));
  if (partial && (header.csum_start >= packet.size() || checksum_at + 2 > packet.size())) {
    return base::fail(
        malformed(fmt::format("checksum to complete at {} of {} bytes", checksum_at, packet.size())));
  }
  const PacketBytes copy = out.append(packet.size());
  std::memcpy(copy.data(), packet.data(), packet.size());
  // Zero is "no checksum" for UDP alone, but 0xffff says the same sum for every protocol; Linux does so too.
  if (partial) complete_checksum(copy, header.csum_start, checksum_at, get16(copy, checksum_at), true);
  return {};
}

}  // namespace

base::Status split(const VnetHeader& header, PacketView packet, PacketBatch& out) {
  const auto type = static_cast<std::uint8_t>(header.gso_type & 0xffU & ~unsigned{kGsoEcn});
  const auto gso = static_cast<Gso>(type);
  if (gso == Gso::kNone) return copy_ordinary(header, packet, out);
  if (gso != Gso::kTcp4 && gso != Gso::kTcp6 && gso != Gso::kUdp) {
    return base::fail(malformed(fmt::format("super-packet of unknown GSO type {}", header.gso_type)));
  }
  const auto layout = layout_of(header, gso, packet);
  if (!layout) return base::fail(layout.error());

  PacketView payload = packet.subspan(layout->header_bytes);
  for (std::size_t index = 0; index < layout->segments; index++) {
    const PacketView part = payload.first(std::min(payload.size(), layout->segment_bytes));
    payload = payload.subspan(part.size());
    const PacketBytes segment = out.append(layout->header_bytes + part.size());
    std::memcpy(segment.data(), packet.data(), layout->header_bytes);
    if (!part.empty()) std::memcpy(segment.data() + layout->header_bytes, part.data(), part.size());
    write_segment(segment, *layout, index, packet.size());
  }
  return {};
}

}  // namespace flowtally::demo
