// Goal: the table finds the longest prefix that holds an address. Method: the borders by hand, then random
// prefixes of both families, of which many lie in one another, against a linear search bit by bit.
#include "model/prefix_table.hpp"

#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "unit/model/reference.hpp"
#include "unit/model/texts.hpp"

namespace flowtally::model {
namespace {

using Value = PrefixTable::Value;

/// Values count from 1, in the order given.
PrefixTable table_of(std::initializer_list<std::string_view> texts) {
  std::vector<std::pair<Prefix, Value>> list;
  for (const std::string_view text : texts) {
    list.emplace_back(prefix(text), static_cast<Value>(list.size() + 1));
  }
  return PrefixTable(list);
}

/// 0: nothing.
Value found(const PrefixTable& table, std::string_view text) { return table.find(address(text)).value_or(0); }

TEST_CASE("an empty table finds nothing, and no table finds no address", "[unit]") {
  CHECK(found({}, "10.0.0.1") == 0);
  CHECK(found({}, "::") == 0);
  CHECK(found(table_of({"0.0.0.0/0", "::/0"}), "") == 0);
}

TEST_CASE("a prefix is found from its first to its last address", "[unit]") {
  const PrefixTable table = table_of({"10.0.0.0/8", "fd00::/16", "192.0.2.7/32", "2001:db8::7/128"});
  CHECK(found(table, "9.255.255.255") == 0);
  CHECK(found(table, "10.0.0.0") == 1);
  CHECK(found(table, "10.255.255.255") == 1);
  CHECK(found(table, "11.0.0.0") == 0);
  CHECK(found(table, "fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") == 0);
  CHECK(found(table, "fd00::") == 2);
  CHECK(found(table, "fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff") == 2);
  CHECK(found(table, "fd01::") == 0);
  CHECK(found(table, "192.0.2.6") == 0);
  CHECK(found(table, "192.0.2.7") == 3);
  CHECK(found(table, "192.0.2.8") == 0);
  CHECK(found(table, "2001:db8::6") == 0);
  CHECK(found(table, "2001:db8::7") == 4);
  CHECK(found(table, "2001:db8::8") == 0);
}

TEST_CASE("of nested prefixes the longest counts, and behind it the one around it again", "[unit]") {
  const PrefixTable table = table_of({"10.1.2.0/24", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32"});
  CHECK(found(table, "10.0.255.255") == 2);
  CHECK(found(table, "10.1.0.0") == 3);
  CHECK(found(table, "10.1.2.0") == 1);
  CHECK(found(table, "10.1.2.2") == 1);
  CHECK(found(table, "10.1.2.3") == 4);
  CHECK(found(table, "10.1.2.4") == 1);
  CHECK(found(table, "10.1.3.0") == 3);
  CHECK(found(table, "10.2.0.0") == 2);
  CHECK(found(table, "11.0.0.0") == 0);
}

TEST_CASE("prefixes that begin or end together nest as well", "[unit]") {
  const PrefixTable table = table_of({"10.0.0.0/32", "10.0.0.0/8", "10.255.255.255/32", "10.255.0.0/16"});
  CHECK(found(table, "10.0.0.0") == 1);
  CHECK(found(table, "10.0.0.1") == 2);
  CHECK(found(table, "10.255.0.0") == 4);
  CHECK(found(table, "10.255.255.254") == 4);
  CHECK(found(table, "10.255.255.255") == 3);
  CHECK(found(table, "11.0.0.0") == 0);
}

TEST_CASE("neighbours are kept apart", "[unit]") {
  const PrefixTable table = table_of({"10.0.1.0/24", "10.0.0.0/24", "10.0.3.0/24"});
  CHECK(found(table, "10.0.0.255") == 2);
  CHECK(found(table, "10.0.1.0") == 1);
  CHECK(found(table, "10.0.1.255") == 1);
  CHECK(found(table, "10.0.2.0") == 0);
  CHECK(found(table, "10.0.3.0") == 3);
}

TEST_CASE("of equal prefixes the first one counts", "[unit]") {
  const PrefixTable table =
      table_of({"10.0.0.0/8", "fd00::/64", "10.0.0.0/8", "fd00::/64", "10.0.0.0/9", "10.0.0.0/8"});
  CHECK(found(table, "10.128.0.0") == 1);
  CHECK(found(table, "10.0.0.0") == 5);
  CHECK(found(table, "fd00::1") == 2);
}

TEST_CASE("of many equal prefixes among others the first one counts", "[unit]") {
  std::vector<std::pair<Prefix, Value>> list;
  for (Value at = 0; at < 1000; ++at) {
    const auto octet = static_cast<std::uint8_t>(at * 7 % 10);
    list.emplace_back(Prefix::of(Address::v4({10, octet, 0, 0}), 16), at);
  }
  const PrefixTable table(list);
  for (Value at = 0; at < 10; ++at) {
    const auto octet = static_cast<std::uint8_t>(at * 7 % 10);
    CHECK(table.find(Address::v4({10, octet, 3, 4})) == at);
  }
}

TEST_CASE("the families do not know of each other", "[unit]") {
  const PrefixTable v4 = table_of({"0.0.0.0/0"});
  CHECK(found(v4, "0.0.0.0") == 1);
  CHECK(found(v4, "255.255.255.255") == 1);
  CHECK(found(v4, "::") == 0);
  CHECK(found(v4, "::ffff:1.2.3.4") == 0);
  const PrefixTable v6 = table_of({"::/0", "::ffff:0:0/96"});
  CHECK(found(v6, "::") == 1);
  CHECK(found(v6, "::102:304") == 1);
  CHECK(found(v6, "::ffff:1.2.3.4") == 2);
  CHECK(found(v6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") == 1);
  CHECK(found(v6, "1.2.3.4") == 0);
}

TEST_CASE("prefixes may end with the last address there is", "[unit]") {
  constexpr std::string_view kLast6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  const PrefixTable table =
      table_of({"255.255.255.255/32", "255.255.255.0/24", "128.0.0.0/1",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "ffff::/16", "8000::/1"});
  CHECK(found(table, "255.255.255.255") == 1);
  CHECK(found(table, "255.255.255.254") == 2);
  CHECK(found(table, "255.255.254.255") == 3);
  CHECK(found(table, "127.255.255.255") == 0);
  CHECK(found(table, kLast6) == 4);
  CHECK(found(table, "ffff::") == 5);
  CHECK(found(table, "fffe::") == 6);
  CHECK(found(table, "7fff::") == 0);
}

TEST_CASE("a carry into the upper half of an IPv6 address is not lost", "[unit]") {
  const PrefixTable table =
      table_of({"2001:db8::/64", "2001:db8:0:1::/64", "2001:db8:0:3::/64", "2002::/63"});
  CHECK(found(table, "2001:db8::ffff:ffff:ffff:ffff") == 1);
  CHECK(found(table, "2001:db8:0:1::") == 2);
  CHECK(found(table, "2001:db8:0:2::") == 0);
  CHECK(found(table, "2001:db8:0:3:ffff::") == 3);
  CHECK(found(table, "2002:0:0:1:ffff:ffff:ffff:ffff") == 4);
  CHECK(found(table, "2002:0:0:2::") == 0);
}

// ---- random tables

/// Bits from a few patterns, so that prefixes and addresses meet.
Address random_address(std::mt19937_64& random, bool v6) {
  Address made{.family = v6 ? Address::Family::kV6 : Address::Family::kV4};
  constexpr std::uint8_t kPatterns[] = {0x00, 0xFF, 0x80, 0x01, 0x7F};
  for (std::size_t at = 0; at < (v6 ? 16U : 4U); ++at) {
    made.bytes[at] = random() % 4 != 0 ? kPatterns[random() % 5] : static_cast<std::uint8_t>(random());
  }
  return made;
}

/// The address before or behind a prefix, or its first or last one: where mistakes are.
Address at_border(std::mt19937_64& random, const Prefix& prefix) {
  Address made = prefix.address;
  const unsigned all = made.family == Address::Family::kV4 ? 32 : 128;
  const bool last = random() % 2 == 0;
  for (unsigned at = prefix.bits; last && at < all; ++at) {
    made.bytes[at / 8] |= static_cast<std::uint8_t>(0x80U >> (at % 8));
  }
  if (random() % 2 == 0) return made;
  for (std::size_t at = all / 8; at-- > 0;) {  // one more or one less, with carry
    made.bytes[at] = static_cast<std::uint8_t>(made.bytes[at] + (last ? 1 : 255));
    if (made.bytes[at] != (last ? 0 : 255)) break;
  }
  return made;
}

TEST_CASE("over random prefixes the table finds what a linear search finds", "[unit]") {
  std::mt19937_64 random(41);  // NOLINT(cert-msc*): the same on every run
  for (int run = 0; run < 400; ++run) {
    std::vector<std::pair<Prefix, Value>> list;
    const std::size_t count = random() % 60;
    while (list.size() < count) {
      const bool v6 = random() % 2 == 0;
      // Often inside one that is there already.
      Address base = random_address(random, v6);
      if (!list.empty() && random() % 2 == 0) base = list[random() % list.size()].first.address;
      list.emplace_back(Prefix::of(base, static_cast<std::uint8_t>(random() % 129)),
                        static_cast<Value>(random() % 1000));
      if (list.back().first.bits == 0 && random() % 4 != 0) list.pop_back();
    }
    const PrefixTable table(list);
    for (int look = 0; look < 200; ++look) {
      const Address asked = list.empty() || look % 4 == 0
                                ? random_address(random, random() % 2 == 0)
                                : at_border(random, list[random() % list.size()].first);
      INFO(run << ", " << look << ": " << hex(asked));
      REQUIRE(table.find(asked) == reference::longest(list, asked));
    }
  }
}

}  // namespace
}  // namespace flowtally::model
