#include "capture/underlay_devices.hpp"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <net/if.h>

#include "model/address_text.hpp"
#include "support/catch.hpp"

namespace flowtally::capture {
namespace {

using Names = std::vector<std::string>;

/// A link that is up, with addresses.
InterfaceFacts up(const std::string& name, std::initializer_list<const char*> addresses) {
  InterfaceFacts facts{.link = {.index = 7, .name = name, .flags = IFF_UP}};
  for (const char* const text : addresses) facts.addresses.push_back(model::parse_address(text).value());
  return facts;
}

InterfaceFacts down(InterfaceFacts facts) {
  facts.link.flags = 0;
  return facts;
}

InterfaceFacts loopback(InterfaceFacts facts) {
  facts.link.flags |= IFF_LOOPBACK;
  return facts;
}

InterfaceFacts kind(const std::string& what, InterfaceFacts facts) {
  facts.link.kind = what;
  return facts;
}

InterfaceFacts port_of(const std::string& what, InterfaceFacts facts) {
  facts.link.slave_kind = what;
  return facts;
}

InterfaceFacts with_index(std::uint32_t index, InterfaceFacts facts) {
  facts.link.index = index;
  return facts;
}

}  // namespace

TEST_CASE("a device carries tailscaled's packets if the outside can talk to an address of its own",
          "[unit]") {
  struct Row {
    std::string name;
    InterfaceFacts facts;
    bool carries;
  };
  const std::vector<Row> rows = {
      {"IPv4", up("eth0", {"192.0.2.1"}), true},
      {"IPv6 alone", up("eth0", {"2001:db8::1"}), true},
      {"a link-local address beside another", up("eth0", {"fe80::1", "192.0.2.1"}), true},
      {"no address", up("eth0", {}), false},
      {"link-local of both families", up("eth0", {"fe80::1", "169.254.7.7"}), false},
      {"the end of fe80::/10", up("eth0", {"febf::1"}), false},
      {"site-local, which is not link-local", up("eth0", {"fec0::1"}), true},
      {"next to 169.254.0.0/16", up("eth0", {"169.253.0.1"}), true},
      {"down", down(up("eth0", {"192.0.2.1"})), false},
      {"loopback", loopback(up("lo", {"127.0.0.1", "::1"})), false},
      {"loopback with an address of the host", loopback(up("lo", {"192.0.2.1"})), false},
      {"another tailscaled's TUN", kind("tun", up("tailscale1", {"100.64.0.7"})), false},
      {"another tailscaled's TUN, IPv6 after another",
       kind("tun", up("tailscale1", {"192.0.2.1", "fd7a:115c:a1e0::7"})), false},
      {"a TUN of somebody else", kind("tun", up("tun0", {"10.8.0.2"})), true},
      {"a carrier's NAT, whose addresses are Tailscale's too", up("wwan0", {"100.64.0.7"}), true},
      {"a port of a bridge with an address", port_of("bridge", up("eth0", {"192.0.2.1"})), false},
      {"a port of a bond with an address", port_of("bond", up("eth0", {"192.0.2.1"})), false},
      {"a port of a VRF", port_of("vrf", up("eth0", {"192.0.2.1"})), true},
      {"a VRF itself", kind("vrf", up("red", {"192.0.2.1"})), false},
      {"a macvlan", kind("macvlan", up("macvlan0", {"192.0.2.1"})), true},
      {"the one that is counted", up("tailscale0", {"192.0.2.1"}), false}};
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(carriers_among({row.facts}, "tailscale0") == (row.carries ? Names{row.facts.link.name} : Names{}));
  }
}

TEST_CASE("of a bridge, a bond or a VLAN the device with the address carries, not its ports", "[unit]") {
  CHECK(carriers_among({up("br0", {"192.0.2.1"}), up("eth0", {}), up("eth1", {"fe80::2"})}, "tailscale0") ==
        Names{"br0"});
  CHECK(carriers_among({up("eth0", {}), up("eth0.7", {"192.0.2.1"})}, "tailscale0") == Names{"eth0.7"});
  CHECK(carriers_among({up("eth0", {"198.51.100.1"}), up("eth0.7", {"192.0.2.1"})}, "tailscale0") ==
        Names{"eth0", "eth0.7"});
}

TEST_CASE("of very many devices the first are looked at", "[unit]") {
  std::vector<InterfaceFacts> many;
  for (std::size_t at = 0; at < 3 * kUnderlayDevicesMax; ++at)
    many.push_back(up(fmt::format("veth{:04}", at), {"192.0.2.1"}));
  const Names names = carriers_among(many, "tailscale0");
  CHECK(names.size() == kUnderlayDevicesMax);
  CHECK(names.front() == "veth0000");
}

TEST_CASE("own addresses are those of all devices, those that are down and loopback too", "[unit]") {
  const auto addresses =
      own_addresses_of({loopback(up("lo", {"127.0.0.1"})), up("br0", {"192.0.2.1", "fe80::1"}),
                        up("eth0", {"fe80::1"}), down(up("eth1", {"198.51.100.1"}))});
  std::map<model::Address, std::uint32_t> expected;
  for (const char* const text : {"127.0.0.1", "192.0.2.1", "fe80::1", "198.51.100.1"})
    expected.emplace(model::parse_address(text).value(), 0);
  CHECK(addresses == expected);
}

TEST_CASE("the address of a macvlan or ipvlan is counted there alone, unless another device has it too",
          "[unit]") {
  const auto only_on = [](const std::vector<InterfaceFacts>& interfaces) {
    return own_addresses_of(interfaces).at(model::parse_address("192.0.2.1").value());
  };
  const InterfaceFacts macvlan = with_index(12, kind("macvlan", up("macvlan0", {"192.0.2.1"})));
  const InterfaceFacts ipvlan = with_index(13, kind("ipvlan", up("ipvlan0", {"192.0.2.1"})));
  CHECK(only_on({up("eth0", {"192.0.2.9"}), macvlan}) == 12);
  CHECK(only_on({ipvlan}) == 13);
  CHECK(only_on({macvlan, ipvlan}) == 0);
  CHECK(only_on({up("eth0", {"192.0.2.1"}), macvlan}) == 0);
  CHECK(only_on({macvlan, up("eth0", {"192.0.2.1"})}) == 0);
}

TEST_CASE("more own addresses than the programs' map has room for are not taken", "[unit]") {
  InterfaceFacts facts = up("eth0", {});
  for (unsigned at = 0; at < kOwnAddressesMax + 100; ++at)
    facts.addresses.push_back(model::Address::v4(
        {10, 0, static_cast<std::uint8_t>(at / 256), static_cast<std::uint8_t>(at % 256)}));
  CHECK(own_addresses_of({facts}).size() == kOwnAddressesMax);
}

TEST_CASE("the interfaces of this host have the loopback device among them, once", "[unit]") {
  const auto interfaces = read_interfaces();
  REQUIRE(interfaces);
  const auto is_lo = [](const InterfaceFacts& facts) { return facts.link.name == "lo"; };
  REQUIRE(std::ranges::count_if(*interfaces, is_lo) == 1);
  const InterfaceFacts& lo = *std::ranges::find_if(*interfaces, is_lo);
  CHECK((lo.link.flags & IFF_LOOPBACK) != 0);
  CHECK(lo.link.index == ::if_nametoindex("lo"));
}

}  // namespace flowtally::capture
