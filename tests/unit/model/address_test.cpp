#include "model/address.hpp"

#include <algorithm>
#include <vector>

#include "support/catch.hpp"

namespace flowtally::model {
namespace {

Address v6(std::uint8_t first, std::uint8_t last) {
  return Address::v6({first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last});
}

TEST_CASE("an address is none until it is given", "[unit]") {
  CHECK_FALSE(Address{}.valid());
  CHECK(Address::v4({0, 0, 0, 0}).valid());
  CHECK(v6(0, 0).valid());
}

TEST_CASE("an IPv4 address fills the first four bytes and leaves zeros behind", "[unit]") {
  const Address address = Address::v4({1, 2, 3, 4});
  CHECK(std::equal(address.bytes.begin(), address.bytes.begin() + 4,
                   std::vector<std::uint8_t>{1, 2, 3, 4}.begin()));
  CHECK(std::all_of(address.bytes.begin() + 4, address.bytes.end(),
                    [](std::uint8_t byte) { return byte == 0; }));
}

TEST_CASE("endpoints are ordered as Go's netip has them: none, IPv4, IPv6, then value, then port", "[unit]") {
  const std::vector<Endpoint> ascending = {
      {.address = {}, .port = 0},
      {.address = {}, .port = 1},
      {.address = Address::v4({0, 0, 0, 0}), .port = 65535},
      {.address = Address::v4({9, 255, 255, 255}), .port = 0},
      {.address = Address::v4({10, 0, 0, 1}), .port = 80},
      {.address = Address::v4({10, 0, 0, 1}), .port = 443},
      {.address = Address::v4({100, 64, 0, 1}), .port = 0},  // by number, not by text
      {.address = Address::v4({255, 255, 255, 255}), .port = 0},
      {.address = v6(0, 0), .port = 7},  // any IPv6 is behind any IPv4
      {.address = v6(0, 1), .port = 0},
      {.address = v6(0x20, 0), .port = 0},
      {.address = v6(0xfd, 0), .port = 0},
      {.address = v6(0xff, 0xff), .port = 0},
  };
  for (std::size_t left = 0; left < ascending.size(); ++left) {
    for (std::size_t right = 0; right < ascending.size(); ++right) {
      INFO(left << " and " << right);
      CHECK((ascending[left] <=> ascending[right]) == (left <=> right));
      CHECK((ascending[left] == ascending[right]) == (left == right));
    }
  }
}

TEST_CASE("an IPv4-mapped IPv6 address is not the IPv4 address", "[unit]") {
  const Address mapped = Address::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4});
  CHECK(mapped != Address::v4({1, 2, 3, 4}));
  CHECK(mapped > Address::v4({1, 2, 3, 4}));
}

}  // namespace
}  // namespace flowtally::model
