// This file fuzzes the BPF program's parser, exclusion, keys and counting against the reference parser. An
// input is nine bytes about the skb and then the packet; a disagreement prints the packet and ends the
// process.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "support/parser_comparison.hpp"

namespace {

using flowtally::support::Bytes;
using flowtally::support::SkbFields;

constexpr std::size_t kPrefixBytes = 9;
constexpr unsigned kMendLength =
    1;  // write the true length into the length field, which random bytes seldom hit
constexpr unsigned kSuperPacket = 2;
constexpr unsigned kKernelCounted = 4;
constexpr unsigned kSmallSegments = 8;

std::uint32_t be16(std::span<const std::uint8_t> bytes, std::size_t at) {
  return bytes[at] * 256U + bytes[at + 1];
}

void mend_length(Bytes& packet) {
  const auto put = [&packet](std::size_t at, std::size_t value) {
    packet[at] = static_cast<std::uint8_t>(value / 256 % 256);
    packet[at + 1] = static_cast<std::uint8_t>(value % 256);
  };
  if (packet.size() >= 20 && packet[0] / 16 == 4) put(2, packet.size());
  if (packet.size() >= 40 && packet[0] / 16 == 6) put(4, packet.size() - 40);
}

SkbFields skb_fields(unsigned flags, std::span<const std::uint8_t> prefix) {
  SkbFields skb;
  if ((flags & kSuperPacket) != 0) skb.gso_size = be16(prefix, 1);
  if ((flags & kSmallSegments) != 0) skb.gso_size %= 64;
  if ((flags & kKernelCounted) != 0) {
    skb.gso_segs = be16(prefix, 3) % 256;
    skb.wire_len = be16(prefix, 5) * 256U + be16(prefix, 7) % 256;
  }
  return skb;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < kPrefixBytes) return 0;
  const std::span<const std::uint8_t> input(data, size);
  const unsigned flags = input[0];
  Bytes packet(input.begin() + kPrefixBytes, input.end());
  if ((flags & kMendLength) != 0) mend_length(packet);

  const auto differs = flowtally::support::disagreement(packet, skb_fields(flags, input));
  if (differs) {
    std::fprintf(stderr, "%s\n", differs->c_str());
    std::abort();
  }
  return 0;
}
