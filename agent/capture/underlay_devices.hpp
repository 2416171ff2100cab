// This file finds the devices that carry tailscaled's own packets, and the addresses of this host. Of the
// network namespace of the calling thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "capture/links.hpp"
#include "model/address.hpp"

namespace flowtally::capture {

/// More devices are not looked at: a host of many containers has thousands, and carries its own traffic on a
/// few.
inline constexpr std::size_t kUnderlayDevicesMax = 64;
/// More own addresses are not known to the programs (max_entries of own_addresses).
inline constexpr std::size_t kOwnAddressesMax = 4096;

/// A link with its addresses.
struct InterfaceFacts {
  Link link;
  std::vector<model::Address> addresses{};
};

/// All interfaces, each once.
[[nodiscard]] base::Result<std::vector<InterfaceFacts>> read_interfaces();

/// Names of those that may carry tailscaled's packets: up, not loopback, not `counted`, and with an address
/// of their own that the outside can talk to; no TUN of a tailscaled, no port of a bridge or bond, no VRF.
/// Pure.
///
/// A packet is counted on one device only, though it may pass several. A bridge or bond has the address, its
/// ports are left out. What a VLAN's device sends is tagged when it passes the one below, and passed over
/// there. A macvlan or ipvlan shares a device with others without such a sign: see own_addresses_of().
[[nodiscard]] std::vector<std::string> carriers_among(const std::vector<InterfaceFacts>& interfaces,
                                                      const std::string& counted);

/// Addresses of the interfaces, kOwnAddressesMax at the most, each with the index of the one device on which
/// its packets are counted (a macvlan or ipvlan), or 0. Those of loopback too: a routed host has its address
/// there. Pure.
[[nodiscard]] std::map<model::Address, std::uint32_t> own_addresses_of(
    const std::vector<InterfaceFacts>& interfaces);

}  // namespace flowtally::capture
