#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <openssl/evp.h>

#include "sink/documents.hpp"

namespace flowtally::sink {
namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kSctp = 132;
constexpr std::size_t kSha1Bytes = 20;

/// ICMP has types where others have ports; we do not keep them, so it has no id.
bool has_ports(std::uint8_t proto) noexcept { return proto == kTcp || proto == kUdp || proto == kSctp; }

struct Side {
  std::array<std::uint8_t, 18> bytes{};  ///< address and port, network byte order
  std::size_t size = 0;
};

Side side_of(const model::Endpoint& end) noexcept {
  Side side;
  const std::size_t address = end.address.family == model::Address::Family::kV4 ? 4 : 16;
  std::memcpy(side.bytes.data(), end.address.bytes.data(), address);
  side.bytes[address] = static_cast<std::uint8_t>(end.port >> 8U);
  side.bytes[address + 1] = static_cast<std::uint8_t>(end.port & 0xffU);
  side.size = address + 2;
  return side;
}

}  // namespace

std::string community_id(const model::Flow& flow) {
  if (!has_ports(flow.proto) || !flow.local.address.valid() || !flow.remote.address.valid() ||
      flow.local.address.family != flow.remote.address.family) {
    return {};
  }
  Side small = side_of(flow.local);
  Side large = side_of(flow.remote);
  if (std::memcmp(small.bytes.data(), large.bytes.data(), small.size) > 0) std::swap(small, large);
  // Seed (2), both addresses, protocol, padding, both ports.
  std::array<std::uint8_t, 2 + 32 + 2 + 4> text{};
  std::size_t at = 2;
  const std::size_t address = small.size - 2;
  for (const Side* const side : {&small, &large}) {
    std::memcpy(text.data() + at, side->bytes.data(), address);
    at += address;
  }
  text[at] = flow.proto;
  at += 2;
  for (const Side* const side : {&small, &large}) {
    std::memcpy(text.data() + at, side->bytes.data() + address, 2);
    at += 2;
  }
  std::array<unsigned char, kSha1Bytes> hash{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), at, hash.data(), &size, EVP_sha1(), nullptr) != 1) return {};
  std::array<unsigned char, 29> encoded{};
  EVP_EncodeBlock(encoded.data(), hash.data(), kSha1Bytes);
  return "1:" + std::string(reinterpret_cast<const char*>(encoded.data()));
}

}  // namespace flowtally::sink
