// This file asks the kernel which addresses this host has, in the network namespace of the calling thread.
// They decide two things that tailscaled does not tell: which of the endpoints that it names is a socket of
// this host (the others are what a NAT made of it), and which networks are at home while an exit node is
// used.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "model/address.hpp"

namespace flowtally::identity {

/// Addresses beyond that are not looked at: a host with more of them is a container host, whose later ones
/// are its guests'.
inline constexpr std::size_t kLocalAddressesMax = 16'384;

/// One address of one interface.
struct InterfaceAddress {
  model::Address address;
  std::uint8_t prefix_bits = 0;
  bool loopback = false;  ///< of a loopback interface
};

/// Both lists are sorted, each entry once.
struct LocalAddresses {
  std::vector<model::Address> addresses{};  ///< every one
  /// Networks that the host is in, as Tailscale takes them while an exit node is used and LAN access is not
  /// allowed (internalAndExternalInterfaces in ipn/ipnlocal): not of loopback, not Tailscale's own addresses,
  /// no single addresses. Link-local ones are among them.
  std::vector<model::Prefix> prefixes{};

  friend bool operator==(const LocalAddresses&, const LocalAddresses&) = default;
};

[[nodiscard]] LocalAddresses local_addresses_of(std::span<const InterfaceAddress> found);

/// As the interfaces are now; getifaddrs(3).
[[nodiscard]] base::Result<LocalAddresses> read_local_addresses();

}  // namespace flowtally::identity
