// This file works in two passes. The first gives every packet of the batch to a group: the latest one of its
// flow, if the packet continues it exactly, else a new one. The second writes the groups of several packets
// as super-packets. Cost: a header comparison and one checksum per packet, one copy of the payload.
#include "demo/coalesce.hpp"

#include <algorithm>
#include <cstring>

namespace flowtally::demo {
namespace {

constexpr std::uint8_t kAck = 0x10;
constexpr std::uint8_t kPsh = 0x08;
constexpr std::size_t kSuperPacketMax = 65535;

bool is_v4(PacketView packet) { return packet[0] >> 4U == 4; }

/// Addresses and ports lie side by side, as there are neither options nor extension headers.
PacketView flow_bytes(PacketView packet) {
  return is_v4(packet) ? packet.subspan(12, 12) : packet.subspan(8, 36);
}

bool same_bytes(PacketView left, PacketView right, std::size_t from, std::size_t to) {
  return std::memcmp(left.data() + from, right.data() + from, to - from) == 0;
}

/// True if the packet carries the very checksums that split() would write.
bool checksums_hold(PacketView packet, std::size_t transport_at, std::size_t checksum_at,
                    std::uint8_t proto) {
  if (is_v4(packet) && ones_sum(packet.first(transport_at)) != 0xffffU) return false;
  const std::uint16_t found = get16(packet, checksum_at);
  // The sum includes the field itself: take it out again.
  const std::uint16_t all =
      ones_add(ones_sum(packet.subspan(transport_at)), pseudo_header_sum(packet, transport_at, proto));
  const std::uint16_t sum = ones_add(all, static_cast<std::uint16_t>(~found));
  const auto checksum = static_cast<std::uint16_t>(~(sum == 0 ? 0xffffU : sum));
  return found == (checksum == 0 && proto == kProtoUdp ? 0xffffU : checksum);
}

/// All of the IP header that split() copies must be equal; lengths and checksums it makes anew, and the IPv4
/// identification it counts up.
bool ip_headers_continue(PacketView first, PacketView packet, std::size_t distance) {
  if (!is_v4(first)) return same_bytes(first, packet, 0, 4) && same_bytes(first, packet, 6, 40);
  const auto identification = static_cast<std::uint16_t>(get16(first, 4) + distance);
  return get16(packet, 4) == identification && same_bytes(first, packet, 0, 2) &&
         same_bytes(first, packet, 6, 10) && same_bytes(first, packet, 12, 20);
}

}  // namespace

Coalescer::Candidate Coalescer::inspect(PacketView packet) {
  Candidate candidate;
  if (packet.size() < 28) return candidate;
  const bool v4 = is_v4(packet);
  if (v4) {
    const bool fragment = (get16(packet, 6) & 0x3fffU) != 0;
    if (packet[0] != 0x45 || fragment || get16(packet, 2) != packet.size()) return candidate;
  } else if (packet[0] >> 4U != 6 || packet.size() < 48 || get16(packet, 4) != packet.size() - 40) {
    return candidate;
  }
  candidate.transport_at = v4 ? 20 : 40;
  candidate.proto = packet[v4 ? 9 : 6];
  const PacketView transport = packet.subspan(candidate.transport_at);
  if (candidate.proto == kProtoUdp) {
    candidate.has_flow = true;
    candidate.header_bytes = candidate.transport_at + 8;
    candidate.mergeable =
        get16(transport, 4) == transport.size() && transport.size() > 8 && get16(transport, 6) != 0 &&
        checksums_hold(packet, candidate.transport_at, candidate.transport_at + 6, kProtoUdp);
    return candidate;
  }
  if (candidate.proto != kProtoTcp || transport.size() < 20) return candidate;
  candidate.has_flow = true;
  const std::size_t transport_bytes = (transport[12] >> 4U) * std::size_t{4};
  candidate.header_bytes = candidate.transport_at + transport_bytes;
  candidate.push = (transport[13] & kPsh) != 0;
  const bool plain = (transport[12] & 0x0fU) == 0 && (transport[13] & 0xffU & ~unsigned{kPsh}) == kAck;
  candidate.mergeable =
      plain && transport_bytes >= 20 && transport.size() > transport_bytes &&
      checksums_hold(packet, candidate.transport_at, candidate.transport_at + 16, kProtoTcp);
  return candidate;
}

bool Coalescer::joins(const Group& group, PacketView first, PacketView packet, const Candidate& candidate) {
  if (!group.open || !candidate.mergeable || candidate.header_bytes != group.kind.header_bytes) return false;
  const std::size_t payload = packet.size() - candidate.header_bytes;
  if (payload > group.segment_bytes || group.bytes + payload > kSuperPacketMax) return false;
  if (!ip_headers_continue(first, packet, group.packets)) return false;
  if (candidate.proto == kProtoUdp) return group.packets < kUdpSegmentsMax;

  const PacketView first_tcp = first.subspan(candidate.transport_at);
  const PacketView tcp = packet.subspan(candidate.transport_at);
  const auto expected = static_cast<std::uint32_t>(get32(first_tcp, 4) + group.packets * group.segment_bytes);
  // Acknowledgement, window, urgent pointer, options: equal, for the first packet's are those of all.
  return get32(tcp, 4) == expected && same_bytes(first_tcp, tcp, 8, 13) &&
         same_bytes(first_tcp, tcp, 14, 16) &&
         same_bytes(first_tcp, tcp, 18, candidate.header_bytes - candidate.transport_at);
}

Coalescer::Group* Coalescer::latest_of_flow(const PacketBatch& batch, PacketView packet,
                                            const Candidate& candidate) {
  const std::size_t oldest = std::max(barrier_, groups_.size() - std::min(groups_.size(), kGroupsSearched));
  for (std::size_t index = groups_.size(); index > oldest; index--) {
    Group& group = groups_[index - 1];
    const PacketView first = batch[group.first];
    if (group.kind.proto == candidate.proto && group.kind.transport_at == candidate.transport_at &&
        std::ranges::equal(flow_bytes(first), flow_bytes(packet))) {
      return &group;
    }
  }
  return nullptr;
}

void Coalescer::assign(const PacketBatch& batch) {
  groups_.clear();
  group_of_.clear();
  barrier_ = 0;
  for (std::size_t index = 0; index < batch.size(); index++) {
    const PacketView packet = batch[index];
    Candidate candidate = inspect(packet);
    if (candidate.proto == kProtoUdp && !merge_udp_) candidate.mergeable = false;
    Group* const group = candidate.has_flow ? latest_of_flow(batch, packet, candidate) : nullptr;
    if (group != nullptr && joins(*group, batch[group->first], packet, candidate)) {
      const std::size_t payload = packet.size() - candidate.header_bytes;
      group->packets++;
      group->bytes += payload;
      group->push = candidate.push;
      group->open = payload == group->segment_bytes && !candidate.push;
      group_of_.push_back(static_cast<std::size_t>(group - groups_.data()));
      continue;
    }
    group_of_.push_back(groups_.size());
    groups_.push_back({.kind = candidate,
                       .open = candidate.mergeable && !candidate.push,
                       .push = candidate.push,
                       .first = index,
                       .bytes = packet.size(),
                       .segment_bytes = packet.size() - candidate.header_bytes});
    if (!candidate.has_flow) barrier_ = groups_.size();
  }
}

/// Makes the copied header that of the whole, and the checksum field the pseudo-header's sum, which the
/// kernel completes.
void Coalescer::finish(const Group& group, PacketBytes super, VnetHeader& header) {
  const bool v4 = is_v4(super);
  const bool tcp = group.kind.proto == kProtoTcp;
  const std::size_t transport_at = group.kind.transport_at;
  if (v4) {
    put16(super, 2, super.size());
    put_ipv4_checksum(super);
  } else {
    put16(super, 4, super.size() - 40);
  }
  const std::size_t checksum_offset = tcp ? 16 : 6;
  if (!tcp) put16(super, transport_at + 4, super.size() - transport_at);
  if (tcp && group.push)
    super[transport_at + 13] = static_cast<std::uint8_t>(super[transport_at + 13] | kPsh);
  put16(super, transport_at + checksum_offset, pseudo_header_sum(super, transport_at, group.kind.proto));

  const Gso tcp_type = v4 ? Gso::kTcp4 : Gso::kTcp6;
  header.flags = kNeedsChecksum;
  header.gso_type = static_cast<std::uint8_t>(tcp ? tcp_type : Gso::kUdp);
  header.hdr_len = static_cast<std::uint16_t>(group.kind.header_bytes);
  header.gso_size = static_cast<std::uint16_t>(group.segment_bytes);
  header.csum_start = static_cast<std::uint16_t>(transport_at);
  header.csum_offset = static_cast<std::uint16_t>(checksum_offset);
}

void Coalescer::merge(const PacketBatch& batch) {
  merged_.clear();
  outgoing_.clear();
  for (Group& group : groups_) {  // all room first: a later append() may move what is there
    group.merged_index = merged_.size();
    if (group.packets > 1) static_cast<void>(merged_.append(group.bytes));
  }
  for (std::size_t index = 0; index < batch.size(); index++) {
    Group& group = groups_[group_of_[index]];
    if (group.packets == 1) continue;
    const PacketView part =
        group.first == index ? batch[index] : batch[index].subspan(group.kind.header_bytes);
    std::memcpy(merged_[group.merged_index].data() + group.written, part.data(), part.size());
    group.written += part.size();
  }
  for (const Group& group : groups_) {
    Outgoing outgoing{.bytes = batch[group.first], .packets = group.packets};
    if (group.packets > 1) {
      const PacketBytes super = merged_[group.merged_index];
      finish(group, super, outgoing.header);
      outgoing.bytes = super;
    }
    outgoing_.push_back(outgoing);
  }
}

std::span<const Outgoing> Coalescer::coalesce(const PacketBatch& batch) {
  assign(batch);
  merge(batch);
  return outgoing_;
}

}  // namespace flowtally::demo
