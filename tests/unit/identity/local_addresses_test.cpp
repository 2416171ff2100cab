#include "identity/local_addresses.hpp"

#include "support/catch.hpp"
#include "unit/identity/golden.hpp"

namespace flowtally::identity {
namespace {

InterfaceAddress on(std::string_view text, std::uint8_t bits, bool loopback = false) {
  return {.address = address(text), .prefix_bits = bits, .loopback = loopback};
}

TEST_CASE("home networks are those of real interfaces that hold more than one address", "[unit]") {
  const std::vector found = {on("192.168.1.7", 24),        on("127.0.0.1", 8, true), on("100.64.0.1", 32),
                             on("fd7a:115c:a1e0::1", 128), on("10.0.0.2", 32),       on("fe80::1", 64),
                             on("192.168.1.8", 24),        on("100.64.3.3", 24),     on("::1", 128, true),
                             on("172.17.0.1", 16),         on("10.9.0.1", 24, true), on("2001:db8::7", 64)};
  const LocalAddresses local = local_addresses_of(found);
  CHECK(local.prefixes == std::vector{prefix("172.17.0.0/16"), prefix("192.168.1.0/24"),
                                      prefix("2001:db8::/64"), prefix("fe80::/64")});
  CHECK(local.addresses.size() == found.size());
  CHECK(std::ranges::is_sorted(local.addresses));
}

TEST_CASE("an address on two interfaces is one", "[unit]") {
  const std::vector found = {on("fe80::1", 64), on("fe80::1", 64)};
  CHECK(local_addresses_of(found) ==
        LocalAddresses{.addresses = {address("fe80::1")}, .prefixes = {prefix("fe80::/64")}});
  CHECK(local_addresses_of({}) == LocalAddresses{});
}

TEST_CASE("this host's own addresses can be listed", "[unit]") {
  const auto local = read_local_addresses();
  REQUIRE(local);
  for (const model::Prefix& home : local->prefixes) {
    CHECK(!home.is_single());
    CHECK(std::ranges::any_of(local->addresses, [&](const auto& own) { return home.contains(own); }));
  }
}

}  // namespace
}  // namespace flowtally::identity
