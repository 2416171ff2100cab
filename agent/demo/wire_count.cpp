#include "demo/wire_count.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

namespace flowtally::demo {
namespace {

// IANA protocol numbers, and 255 as Tailscale logs second and later fragments.
constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kIcmp4 = 1;
constexpr std::uint8_t kIgmp = 2;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr std::uint8_t kTsmp = 99;  // Tailscale's own, between tailscaleds
constexpr std::uint8_t kSctp = 132;
constexpr std::uint8_t kLaterFragment = 255;

constexpr std::size_t kExtensionHeadersMax = 8;
constexpr std::size_t kFragmentBlocksMin =
    10;  // Tailscale lets no later fragment out that begins before byte 80

struct Parsed {
  model::Endpoint source;
  model::Endpoint destination;
  std::uint8_t proto = 0;
  bool later_fragment = false;
  bool early_fragment = false;  // a later fragment below kFragmentBlocksMin
};

model::Address address4(PacketView packet, std::size_t at) {
  model::Address address{.family = model::Address::Family::kV4};
  std::ranges::copy(packet.subspan(at, 4), address.bytes.begin());
  return address;
}

model::Address address6(PacketView packet, std::size_t at) {
  model::Address address{.family = model::Address::Family::kV6};
  std::ranges::copy(packet.subspan(at, 16), address.bytes.begin());
  return address;
}

std::size_t transport_header_min(std::uint8_t proto, bool v4) {
  switch (proto) {
    case kTcp: return 20;
    case kUdp: return 8;
    case kSctp: return 12;
    case kIcmp4: return v4 ? 4 : 0;
    case kIgmp: return v4 ? 8 : 0;
    case kIcmp6: return v4 ? 0 : 4;
    case kTsmp: return 7;
    default: return 0;
  }
}

/// `transport`: what follows the IP headers, to the end of the buffer.
std::optional<Parsed> with_transport(Parsed parsed, PacketView transport, std::uint8_t proto, bool v4) {
  if (transport.size() < transport_header_min(proto, v4)) return std::nullopt;
  parsed.proto = proto;
  if (proto == kTcp || proto == kUdp || proto == kSctp) {
    parsed.source.port = get16(transport, 0);
    parsed.destination.port = get16(transport, 2);
  }
  return parsed;
}

Parsed as_later_fragment(Parsed parsed, std::size_t offset_blocks) {
  parsed.proto = kLaterFragment;
  parsed.later_fragment = true;
  parsed.early_fragment = offset_blocks < kFragmentBlocksMin;
  return parsed;
}

std::optional<Parsed> parse4(PacketView packet) {
  if (packet.size() < 20) return std::nullopt;
  const std::size_t header_bytes = (packet[0] & 0x0fU) * std::size_t{4};
  const std::size_t total_length = get16(packet, 2);
  if (header_bytes < 20 || total_length < header_bytes || total_length > packet.size()) return std::nullopt;
  const Parsed parsed{.source = {.address = address4(packet, 12)},
                      .destination = {.address = address4(packet, 16)}};
  const std::size_t offset_blocks = get16(packet, 6) & 0x1fffU;
  if (offset_blocks != 0) return as_later_fragment(parsed, offset_blocks);
  return with_transport(parsed, packet.subspan(header_bytes), packet[9], true);
}

std::optional<Parsed> parse6(PacketView packet) {
  if (packet.size() < 40 || packet.size() - 40 < get16(packet, 4)) return std::nullopt;
  const Parsed parsed{.source = {.address = address6(packet, 8)},
                      .destination = {.address = address6(packet, 24)}};
  std::uint8_t next = packet[6];
  PacketView rest = packet.subspan(40);
  for (std::size_t walked = 0;; walked++) {
    if (next != kHopByHop && next != kRouting && next != kFragment && next != kDestinationOptions) break;
    if (walked == kExtensionHeadersMax || rest.size() < 8) return std::nullopt;
    // RFC 8200 4.3: length in 8-byte units without the first; the fragment header has none (4.5).
    const std::size_t bytes = next == kFragment ? 8 : (rest[1] + std::size_t{1}) * 8;
    if (next == kFragment && get16(rest, 2) >> 3U != 0)
      return as_later_fragment(parsed, get16(rest, 2) >> 3U);
    if (rest.size() < bytes) return std::nullopt;
    next = rest[0];
    rest = rest.subspan(bytes);
  }
  return with_transport(parsed, rest, next, false);
}

std::optional<Parsed> parse(PacketView packet) {
  if (packet.empty()) return std::nullopt;
  const unsigned version = packet[0] >> 4U;
  if (version == 4) return parse4(packet);
  if (version == 6) return parse6(packet);
  return std::nullopt;
}

/// 100.100.100.100 and fd7a:115c:a1e0::53: what tailscaled answers itself.
bool is_service(const model::Address& address) {
  static constexpr std::uint8_t kService4[4] = {100, 100, 100, 100};
  static constexpr std::uint8_t kService6[16] = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0,
                                                 0,    0,    0,    0,    0,    0,    0, 0x53};
  return address == model::Address::v4(kService4) || address == model::Address::v6(kService6);
}

/// 224.0.0.0/4, ff00::/8, 169.254.0.0/16 without the clouds' metadata address 169.254.169.254, fe80::/10.
bool is_never_routed(const model::Address& address) {
  const auto& bytes = address.bytes;
  if (address.family == model::Address::Family::kV6) {
    return bytes[0] == 0xff || (bytes[0] == 0xfe && (bytes[1] & 0xc0U) == 0x80);
  }
  const bool metadata = bytes[2] == 169 && bytes[3] == 254;
  return (bytes[0] & 0xf0U) == 0xe0 || (bytes[0] == 169 && bytes[1] == 254 && !metadata);
}

bool is_excluded(Direction direction, const Parsed& parsed) {
  if (direction == Direction::kRx) return is_service(parsed.source.address);
  const model::Address& to = parsed.destination.address;
  if (is_service(to) || is_never_routed(to) || parsed.early_fragment) return true;
  // tailscaled takes these numbers for "unknown", for its own messages and for later fragments; none leaves
  // it.
  const bool reserved = parsed.proto == kHopByHop || parsed.proto == kTsmp || parsed.proto == kLaterFragment;
  return reserved && !parsed.later_fragment;
}

void add_packet(model::Counters& counters, Direction direction, std::size_t bytes) {
  (direction == Direction::kTx ? counters.tx_packets : counters.rx_packets)++;
  (direction == Direction::kTx ? counters.tx_bytes : counters.rx_bytes) += bytes;
}

}  // namespace

std::size_t WireCounter::KeyHash::operator()(const Key& key) const noexcept {
  std::uint64_t words[5];
  std::memcpy(words, key.local.address.bytes.data(), 16);
  std::memcpy(words + 2, key.remote.address.bytes.data(), 16);
  words[4] = (std::uint64_t{key.local.port} << 24U) | (std::uint64_t{key.remote.port} << 8U) | key.proto;
  std::uint64_t hash = 0;
  for (const std::uint64_t word : words) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 32U;
  }
  return hash;
}

void WireCounter::count(Direction direction, PacketView packet) {
  add_packet(totals_.all, direction, packet.size());
  const std::optional<Parsed> parsed = parse(packet);
  if (!parsed) return add_packet(totals_.unparsed, direction, packet.size());
  if (is_excluded(direction, *parsed)) return add_packet(totals_.excluded, direction, packet.size());
  const bool tx = direction == Direction::kTx;
  const Key key{.local = tx ? parsed->source : parsed->destination,
                .remote = tx ? parsed->destination : parsed->source,
                .proto = parsed->proto};
  add_packet(flows_[key], direction, packet.size());
}

void WireCounter::add(const WireCounter& other) {
  for (const auto& [key, counters] : other.flows_) flows_[key] += counters;
  totals_.all += other.totals_.all;
  totals_.unparsed += other.totals_.unparsed;
  totals_.excluded += other.totals_.excluded;
}

std::vector<model::Flow> WireCounter::flows() const {
  std::vector<model::Flow> flows;
  flows.reserve(flows_.size());
  for (const auto& [key, counters] : flows_) {
    flows.push_back({.local = key.local, .remote = key.remote, .proto = key.proto, .counters = counters});
  }
  std::ranges::sort(flows, model::record_order);
  return flows;
}

}  // namespace flowtally::demo
