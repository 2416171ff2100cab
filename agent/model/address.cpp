#include "model/address.hpp"

namespace flowtally::model {
namespace {

std::uint8_t bits_max(Address::Family family) noexcept {
  if (family == Address::Family::kNone) return 0;
  return family == Address::Family::kV4 ? 32 : 128;
}

}  // namespace

Prefix Prefix::of(const Address& address, std::uint8_t bits) noexcept {
  Prefix prefix{.address = address, .bits = std::min(bits, bits_max(address.family))};
  for (std::size_t at = 0; at < prefix.address.bytes.size(); ++at) {
    const auto begin = static_cast<unsigned>(at) * 8;
    if (begin >= prefix.bits) {
      prefix.address.bytes[at] = 0;
    } else if (prefix.bits - begin < 8) {
      prefix.address.bytes[at] &= static_cast<std::uint8_t>(0xFF00U >> (prefix.bits - begin));
    }
  }
  return prefix;
}

bool Prefix::contains(const Address& other) const noexcept {
  if (other.family != address.family) return false;
  const std::size_t whole = bits / 8;
  if (std::memcmp(other.bytes.data(), address.bytes.data(), whole) != 0) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((other.bytes[whole] ^ address.bytes[whole]) & (0xFF00U >> rest) & 0xFFU) == 0;
}

}  // namespace flowtally::model
