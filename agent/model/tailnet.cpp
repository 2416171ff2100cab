#include "model/tailnet.hpp"

#include <cstring>

namespace flowtally::model {
namespace {

constexpr std::uint8_t kTailscale6[] = {0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0};
const Address kService4 = Address::v4({100, 100, 100, 100});
const Address kService6 = Address::v6({0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53});

}  // namespace

bool is_tailscale_address(const Address& address) noexcept {
  const auto& bytes = address.bytes;
  if (address.family == Address::Family::kV4) {
    const bool shared = bytes[0] == 100 && (bytes[1] & 0xC0U) == 64;
    const bool chrome_os = bytes[1] == 115 && (bytes[2] & 0xFEU) == 92;
    return shared && !chrome_os;
  }
  return address.family == Address::Family::kV6 &&
         std::memcmp(bytes.data(), kTailscale6, sizeof(kTailscale6)) == 0;
}

bool is_service_address(const Address& address) noexcept {
  return address == kService4 || address == kService6;
}

}  // namespace flowtally::model
