#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <xxhash.h>

#include "sink/batch.hpp"

namespace flowtally::sink {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 4648, section 5, without padding.
std::string base64url(const std::array<unsigned char, 16>& bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t byte = 0; byte < 3; ++byte) group = group << 8U | (byte < count ? bytes[at + byte] : 0U);
    for (std::size_t digit = 0; digit <= count; ++digit) text += kDigits[group >> (18 - 6 * digit) & 63U];
  }
  return text;
}

}  // namespace

std::string item_id(const Batch& batch, const Item& item) {
  const std::array<std::uint64_t, 4> key = {item.record[0], item.record[1], item.part,
                                            static_cast<std::uint64_t>(batch.log_type)};
  XXH128_canonical_t hash;
  XXH128_canonicalFromHash(&hash, XXH3_128bits(key.data(), sizeof(key)));
  const auto seconds = static_cast<std::uint32_t>(item.time_ns / 1'000'000'000);
  std::array<unsigned char, 16> bytes{};
  for (std::size_t at = 0; at < 4; ++at) bytes[at] = static_cast<unsigned char>(seconds >> (24 - 8 * at));
  std::memcpy(bytes.data() + 4, hash.digest, bytes.size() - 4);
  return base64url(bytes);
}

}  // namespace flowtally::sink
