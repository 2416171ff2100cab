#include "support/parser_comparison.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "flowtally/wire.h"
#include "support/parser_under_test.h"

namespace flowtally::support {
namespace {

/// Collects what differs.
class Differences {
 public:
  template <class Value>
  void compare(const char* what, const Value& program, const Value& reference) {
    if (program != reference)
      text_ += fmt::format("{}: program {}, reference {}; ", what, program, reference);
  }
  void compare_bytes(const char* what, const std::uint8_t* program, const std::uint8_t* reference,
                     std::size_t size) {
    if (!std::equal(program, program + size, reference)) text_ += fmt::format("{} differ; ", what);
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

void compare_packets(const ft_packet& program, const ReferencePacket& reference, bool super_packet,
                     Differences& differences) {
  differences.compare("family", program.family, reference.family);
  differences.compare("protocol", program.proto, reference.proto);
  differences.compare("source port", program.source_port, reference.source_port);
  differences.compare("destination port", program.destination_port, reference.destination_port);
  differences.compare("later fragment", program.later_fragment != 0, reference.later_fragment);
  differences.compare("short fragment", program.short_fragment != 0, reference.short_fragment);
  differences.compare_bytes("sources", program.source, reference.source.data(), 16);
  differences.compare_bytes("destinations", program.destination, reference.destination.data(), 16);
  // Without GSO nobody asks for it, and the program does not always look.
  if (super_packet)
    differences.compare("header length", program.header_len, reference.repeated_bytes.value_or(0));
}

/// The key is the packet's ends, the local one first, and nothing else.
void compare_keys(const ft_packet& program, const ReferencePacket& reference, ft_direction direction,
                  Differences& differences) {
  const bool out = direction == FT_TX;
  const AddressBytes& local = out ? reference.source : reference.destination;
  const AddressBytes& remote = out ? reference.destination : reference.source;
  const std::uint16_t local_port = out ? reference.source_port : reference.destination_port;
  const std::uint16_t remote_port = out ? reference.destination_port : reference.source_port;
  const auto compare_key = [&](const auto& key) {
    differences.compare_bytes("local addresses", key.local, local.data(), sizeof(key.local));
    differences.compare_bytes("remote addresses", key.remote, remote.data(), sizeof(key.remote));
    differences.compare("local port", std::uint16_t{key.local_port}, local_port);
    differences.compare("remote port", std::uint16_t{key.remote_port}, remote_port);
    differences.compare("key's protocol", std::uint8_t{key.proto}, reference.proto);
  };
  if (reference.family == 4) {
    ft_flow4_key key;
    parser_under_test_key4(&program, direction, &key);
    compare_key(key);
  } else {
    ft_flow6_key key;
    parser_under_test_key6(&program, direction, &key);
    compare_key(key);
  }
  ft_coarse_key coarse;
  parser_under_test_key_coarse(&program, direction, &coarse);
  differences.compare_bytes("coarse addresses", coarse.remote, remote.data(), sizeof(coarse.remote));
  differences.compare("coarse protocol", std::uint8_t{coarse.proto}, reference.proto);
  differences.compare("coarse family", std::uint8_t{coarse.family}, reference.family);
}

void compare_counts(std::size_t len, const SkbFields& skb, const ft_packet* program,
                    const ReferencePacket* reference, ft_direction direction, Differences& differences) {
  const PacketCount ours = program_count(len, skb, program, direction);
  const PacketCount theirs = reference_count(len, skb, reference, direction);
  differences.compare("packets", ours.packets, theirs.packets);
  differences.compare("bytes", ours.bytes, theirs.bytes);
}

}  // namespace

std::expected<ft_packet, ft_unparsed> program_parse(std::span<const std::uint8_t> bytes,
                                                    std::uint32_t gso_size) {
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  ft_packet packet;
  const ft_unparsed reason =
      parser_under_test_parse(exact.data(), static_cast<std::uint32_t>(exact.size()), gso_size, &packet);
  if (reason != FT_PARSED) return std::unexpected(reason);
  return packet;
}

PacketCount program_count(std::size_t len, const SkbFields& skb, const ft_packet* packet,
                          ft_direction direction) {
  const ft_skb_size size{.len = static_cast<std::uint32_t>(len),
                         .header_len = packet != nullptr ? packet->header_len : 0,
                         .gso_size = skb.gso_size,
                         .gso_segs = direction == FT_TX ? skb.gso_segs : 0,
                         .wire_len = direction == FT_TX ? skb.wire_len : 0,
                         .is_tcp = packet != nullptr && packet->proto == FT_PROTO_TCP ? 1U : 0U};
  const auto count = ft_wire_count_of(&size);
  return {.packets = count.packets, .bytes = count.bytes};
}

std::optional<std::string> disagreement(std::span<const std::uint8_t> bytes, const SkbFields& skb) {
  const bool super_packet = skb.gso_size != 0;
  const auto program = program_parse(bytes, skb.gso_size);
  const ReferenceResult reference = reference_parse(bytes, super_packet);

  Differences differences;
  const auto reason_of = [](const auto& result) {
    return static_cast<unsigned>(result ? FT_PARSED : result.error());
  };
  differences.compare("reason", reason_of(program), reason_of(reference));
  const bool both = program && reference;
  if (both) compare_packets(*program, *reference, super_packet, differences);
  for (const ft_direction direction : {FT_TX, FT_RX}) {
    compare_counts(bytes.size(), skb, both ? &*program : nullptr, both ? &*reference : nullptr, direction,
                   differences);
    if (!both) continue;
    compare_keys(*program, *reference, direction, differences);
    differences.compare("exclusion", static_cast<unsigned>(parser_under_test_excluded(&*program, direction)),
                        static_cast<unsigned>(reference_excluded(*reference, direction)));
  }
  if (differences.text().empty()) return std::nullopt;
  return differences.text() + rebuild_command(bytes, skb);
}

}  // namespace flowtally::support
