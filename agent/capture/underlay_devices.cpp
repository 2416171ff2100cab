#include "capture/underlay_devices.hpp"

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "model/tailnet.hpp"

namespace flowtally::capture {
namespace {

using model::Address;

Address address_of(const sockaddr& socket_address) noexcept {
  Address address;
  if (socket_address.sa_family == AF_INET) {
    address.family = Address::Family::kV4;
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in&>(socket_address).sin_addr, 4);
  } else if (socket_address.sa_family == AF_INET6) {
    address.family = Address::Family::kV6;
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6&>(socket_address).sin6_addr, 16);
  }
  return address;
}

bool is_link_local(const Address& address) noexcept {
  const auto& bytes = address.bytes;
  if (address.family == Address::Family::kV4) return bytes[0] == 169 && bytes[1] == 254;
  return bytes[0] == 0xfe && (bytes[1] & 0xC0U) == 0x80;
}

}  // namespace

base::Result<std::vector<InterfaceFacts>> read_interfaces() {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) {
    return base::fail(base::Error::from_errno(errno, "read the interfaces of this host"));
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(raw, ::freeifaddrs);
  std::map<std::string, InterfaceFacts> by_name;
  for (const ifaddrs* entry = list.get(); entry != nullptr; entry = entry->ifa_next) {
    InterfaceFacts& facts = by_name[entry->ifa_name];
    facts.name = entry->ifa_name;
    facts.up = (entry->ifa_flags & IFF_UP) != 0;
    facts.loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
    if (entry->ifa_addr == nullptr) continue;
    if (const Address address = address_of(*entry->ifa_addr); address.valid()) {
      facts.addresses.push_back(address);
    }
  }
  std::vector<InterfaceFacts> interfaces;
  for (auto& [name, facts] : by_name) interfaces.push_back(std::move(facts));
  return interfaces;
}

std::vector<std::string> carriers_among(const std::vector<InterfaceFacts>& interfaces,
                                        const std::string& counted) {
  std::vector<std::string> names;
  for (const InterfaceFacts& facts : interfaces) {
    if (!facts.up || facts.loopback || facts.name == counted) continue;
    bool reachable = false;
    bool tailscale = false;
    for (const Address& address : facts.addresses) {
      tailscale = tailscale || model::is_tailscale_address(address);
      reachable = reachable || !is_link_local(address);
    }
    if (reachable && !tailscale && names.size() < kUnderlayDevicesMax) names.push_back(facts.name);
  }
  return names;
}

std::set<Address> own_addresses_of(const std::vector<InterfaceFacts>& interfaces) {
  std::set<Address> addresses;
  for (const InterfaceFacts& facts : interfaces) {
    if (facts.loopback) continue;
    for (const Address& address : facts.addresses) {
      if (addresses.size() < kOwnAddressesMax) addresses.insert(address);
    }
  }
  return addresses;
}

}  // namespace flowtally::capture
