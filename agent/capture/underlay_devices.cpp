#include "capture/underlay_devices.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
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

bool is_loopback(const Link& link) noexcept { return (link.flags & IFF_LOOPBACK) != 0; }

/// Its packets pass another device of this namespace under their own addresses, untagged.
bool shares_device(const Link& link) noexcept { return link.kind == "macvlan" || link.kind == "ipvlan"; }

bool may_carry(const InterfaceFacts& facts, const std::string& counted) {
  const Link& link = facts.link;
  if ((link.flags & IFF_UP) == 0 || is_loopback(link) || link.name == counted || link.kind == "vrf") {
    return false;
  }
  // A port of a VRF is none: it has the addresses, and the VRF's own device is passed over.
  if (!link.slave_kind.empty() && link.slave_kind != "vrf") return false;
  // Tailscale's IPv4 addresses are those of carriers' NAT too, so only a TUN that has one is a tailscaled's.
  if (link.kind == "tun" && std::ranges::any_of(facts.addresses, model::is_tailscale_address)) return false;
  return !std::ranges::all_of(facts.addresses, is_link_local);
}

}  // namespace

base::Result<std::vector<InterfaceFacts>> read_interfaces() {
  auto links = read_links();
  if (!links) return base::fail(std::move(links.error()));
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) {
    return base::fail(base::Error::from_errno(errno, "read the addresses of this host"));
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(raw, ::freeifaddrs);
  std::vector<InterfaceFacts> interfaces;
  std::map<std::string, std::size_t> position;
  for (Link& link : *links) {
    position.emplace(link.name, interfaces.size());
    interfaces.push_back({.link = std::move(link)});
  }
  for (const ifaddrs* entry = list.get(); entry != nullptr; entry = entry->ifa_next) {
    const auto found = position.find(entry->ifa_name);
    if (entry->ifa_addr == nullptr || found == position.end()) continue;
    const Address address = address_of(*entry->ifa_addr);
    if (address.valid()) interfaces[found->second].addresses.push_back(address);
  }
  return interfaces;
}

std::vector<std::string> carriers_among(const std::vector<InterfaceFacts>& interfaces,
                                        const std::string& counted) {
  std::vector<std::string> names;
  for (const InterfaceFacts& facts : interfaces) {
    if (names.size() < kUnderlayDevicesMax && may_carry(facts, counted)) names.push_back(facts.link.name);
  }
  return names;
}

std::map<Address, std::uint32_t> own_addresses_of(const std::vector<InterfaceFacts>& interfaces) {
  std::map<Address, std::uint32_t> addresses;
  for (const InterfaceFacts& facts : interfaces) {
    const std::uint32_t only_on = shares_device(facts.link) ? facts.link.index : 0;
    for (const Address& address : facts.addresses) {
      if (addresses.size() >= kOwnAddressesMax) return addresses;
      const auto [entry, fresh] = addresses.emplace(address, only_on);
      if (!fresh && entry->second != only_on) entry->second = 0;  // of several devices: any of them
    }
  }
  return addresses;
}

}  // namespace flowtally::capture
