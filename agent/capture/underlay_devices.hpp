// This file finds the devices that carry tailscaled's own packets, and the addresses of this host. Of the
// network namespace of the calling thread.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/address.hpp"

namespace flowtally::capture {

/// More devices are not looked at: a host of many containers has thousands, and carries its own traffic on a
/// few.
inline constexpr std::size_t kUnderlayDevicesMax = 64;
/// More own addresses are not known to the programs (max_entries of own_addresses).
inline constexpr std::size_t kOwnAddressesMax = 4096;

/// One interface as getifaddrs(3) tells of it.
struct InterfaceFacts {
  std::string name;
  bool up = false;
  bool loopback = false;
  std::vector<model::Address> addresses;
};

/// All interfaces, each once, by name.
[[nodiscard]] base::Result<std::vector<InterfaceFacts>> read_interfaces();

/// Names of those that may carry tailscaled's packets: up, not loopback, not `counted`, and with an address
/// of their own that the outside can talk to (not link-local, not one of Tailscale's). A packet has one such
/// device on its way: a bridge, bond or VLAN device has the address, its ports have none, and where they do,
/// what they carry for a VLAN is tagged and passed over. Pure.
[[nodiscard]] std::vector<std::string> carriers_among(const std::vector<InterfaceFacts>& interfaces,
                                                      const std::string& counted);

/// Addresses of the interfaces that are not loopback, kOwnAddressesMax at the most. Pure.
[[nodiscard]] std::set<model::Address> own_addresses_of(const std::vector<InterfaceFacts>& interfaces);

}  // namespace flowtally::capture
