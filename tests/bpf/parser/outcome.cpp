#include "outcome.hpp"

namespace flowtally::support {
namespace {

Counted counted_unparsed(ft_unparsed reason, PacketCount count, ft_direction direction) {
  Counted counted;
  counted.totals.hook = counted.totals.unparsed = counters_of(count, direction);
  counted.totals.unparsed_packets[reason] = count.packets;
  return counted;
}

Counted counted_excluded(ft_excluded reason, PacketCount count, ft_direction direction) {
  Counted counted;
  counted.totals.hook = counted.totals.excluded = counters_of(count, direction);
  counted.totals.excluded_packets[reason] = count.packets;
  return counted;
}

Counted counted_flow(const ReferencePacket& packet, PacketCount count, ft_direction direction) {
  const bool out = direction == FT_TX;
  Counted counted;
  counted.totals.hook = counters_of(count, direction);
  counted.flows.push_back({.family = packet.family,
                           .local = out ? packet.source : packet.destination,
                           .remote = out ? packet.destination : packet.source,
                           .local_port = out ? packet.source_port : packet.destination_port,
                           .remote_port = out ? packet.destination_port : packet.source_port,
                           .proto = packet.proto,
                           .counters = counted.totals.hook});
  return counted;
}

}  // namespace

Counted expected_of(const PacketVector& vector, ft_direction direction) {
  const Expected& expected = vector.expected;
  const PacketCount count = expected.count(direction, vector.packet.bytes().size());
  if (expected.reason != FT_PARSED) return counted_unparsed(expected.reason, count, direction);
  if (expected.excluded(direction) != FT_COUNTED) {
    return counted_excluded(expected.excluded(direction), count, direction);
  }
  return counted_flow({.family = vector.packet.family(),
                       .proto = expected.proto,
                       .source = vector.packet.source(),
                       .destination = vector.packet.destination(),
                       .source_port = expected.source_port,
                       .destination_port = expected.destination_port},
                      count, direction);
}

Counted expected_by_reference(std::span<const std::uint8_t> bytes, const SkbFields& skb,
                              ft_direction direction) {
  const ReferenceResult packet = reference_parse(bytes, skb.gso_size != 0);
  const PacketCount count = reference_count(bytes.size(), skb, packet ? &*packet : nullptr, direction);
  if (!packet) return counted_unparsed(packet.error(), count, direction);
  const ft_excluded excluded = reference_excluded(*packet, direction);
  if (excluded != FT_COUNTED) return counted_excluded(excluded, count, direction);
  return counted_flow(*packet, count, direction);
}

}  // namespace flowtally::support
