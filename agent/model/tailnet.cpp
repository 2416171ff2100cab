#include "model/tailnet.hpp"

namespace flowtally::model {
namespace {

const Prefix kTailscale4 = Prefix::of(Address::v4({100, 64, 0, 0}), 10);
const Prefix kChromeOs = Prefix::of(Address::v4({100, 115, 92, 0}), 23);
const Prefix kTailscale6 =
    Prefix::of(Address::v6({0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 48);
const Address kService4 = Address::v4({100, 100, 100, 100});
const Address kService6 = Address::v6({0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53});

}  // namespace

bool is_tailscale_address(const Address& address) noexcept {
  if (address.family == Address::Family::kV4) {
    return kTailscale4.contains(address) && !kChromeOs.contains(address);
  }
  return kTailscale6.contains(address);
}

bool is_service_address(const Address& address) noexcept {
  return address == kService4 || address == kService6;
}

}  // namespace flowtally::model
