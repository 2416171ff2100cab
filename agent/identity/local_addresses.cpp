#include "identity/local_addresses.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "model/tailnet.hpp"

namespace flowtally::identity {
namespace {

template <class T>
void sort_unique(std::vector<T>& values) {
  std::ranges::sort(values);
  const auto repeated = std::ranges::unique(values);
  values.erase(repeated.begin(), repeated.end());
}

/// None for what is no IP address: getifaddrs lists link-layer addresses too, and interfaces without any.
std::optional<model::Address> address_of(const sockaddr* socket_address) {
  if (socket_address == nullptr) return std::nullopt;
  if (socket_address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, socket_address, sizeof(v4));
    std::uint8_t octets[4];
    std::memcpy(octets, &v4.sin_addr, sizeof(octets));
    return model::Address::v4(octets);
  }
  if (socket_address->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, socket_address, sizeof(v6));
    std::uint8_t octets[16];
    std::memcpy(octets, &v6.sin6_addr, sizeof(octets));
    return model::Address::v6(octets);
  }
  return std::nullopt;
}

/// A netmask as its number of ones; without a netmask the address is alone.
std::uint8_t bits_of(const sockaddr* netmask) {
  const auto mask = address_of(netmask);
  if (!mask) return 128;
  int ones = 0;
  for (const std::uint8_t byte : mask->bytes) ones += std::popcount(byte);
  return static_cast<std::uint8_t>(ones);
}

}  // namespace

LocalAddresses local_addresses_of(std::span<const InterfaceAddress> found) {
  LocalAddresses local;
  for (const InterfaceAddress& one : found) {
    local.addresses.push_back(one.address);
    const model::Prefix prefix = model::Prefix::of(one.address, one.prefix_bits);
    if (!one.loopback && !prefix.is_single() && !model::is_tailscale_address(one.address)) {
      local.prefixes.push_back(prefix);
    }
  }
  sort_unique(local.addresses);
  sort_unique(local.prefixes);
  return local;
}

base::Result<LocalAddresses> read_local_addresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) {
    return base::fail(base::Error::from_errno(errno, "list the addresses of this host's interfaces"));
  }
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(first, &::freeifaddrs);
  std::vector<InterfaceAddress> found;
  for (const ifaddrs* entry = first; entry != nullptr && found.size() < kLocalAddressesMax;
       entry = entry->ifa_next) {
    if (const auto address = address_of(entry->ifa_addr)) {
      found.push_back({.address = *address,
                       .prefix_bits = bits_of(entry->ifa_netmask),
                       .loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0});
    }
  }
  return local_addresses_of(found);
}

}  // namespace flowtally::identity
