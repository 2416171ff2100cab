// This file is what an address is to us: an IPv4 or IPv6 address, alone or with a port. Values, no text: the
// text forms belong to record/.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>

namespace flowtally::model {

/// An IP address or none. Ordered as Go's netip.Addr is, and with it Tailscale's records: none, then IPv4,
/// then IPv6, then by value.
struct Address {
  enum class Family : std::uint8_t { kNone = 0, kV4 = 4, kV6 = 6 };

  Family family = Family::kNone;
  std::array<std::uint8_t, 16> bytes{};  ///< network byte order; IPv4 in the first four, the rest zero

  [[nodiscard]] static Address v4(const std::uint8_t (&octets)[4]) noexcept {
    Address address{.family = Family::kV4};
    std::memcpy(address.bytes.data(), octets, 4);
    return address;
  }
  [[nodiscard]] static Address v6(const std::uint8_t (&octets)[16]) noexcept {
    Address address{.family = Family::kV6};
    std::memcpy(address.bytes.data(), octets, 16);
    return address;
  }
  [[nodiscard]] bool valid() const noexcept { return family != Family::kNone; }

  friend std::strong_ordering operator<=>(const Address&, const Address&) = default;
  friend bool operator==(const Address&, const Address&) = default;
};

/// A block of addresses, such as 10.0.0.0/8. The bits behind the length are zero: of() sees to it.
struct Prefix {
  Address address;
  std::uint8_t bits = 0;  ///< 0 to 32 or 128

  /// The block of `bits` leading bits around an address; more bits than the family has mean all of them.
  [[nodiscard]] static Prefix of(const Address& address, std::uint8_t bits) noexcept;
  [[nodiscard]] static Prefix single(const Address& address) noexcept { return of(address, 128); }

  /// One address and no more.
  [[nodiscard]] bool is_single() const noexcept {
    return bits == (address.family == Address::Family::kV4 ? 32 : 128);
  }
  /// Never across families: an IPv4-mapped IPv6 address is an IPv6 address.
  [[nodiscard]] bool contains(const Address& other) const noexcept;

  friend std::strong_ordering operator<=>(const Prefix&, const Prefix&) = default;
  friend bool operator==(const Prefix&, const Prefix&) = default;
};

/// Address and port; the port is 0 where the protocol has none. Ordered by address, then port.
struct Endpoint {
  Address address;
  std::uint16_t port = 0;

  friend std::strong_ordering operator<=>(const Endpoint&, const Endpoint&) = default;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

}  // namespace flowtally::model
