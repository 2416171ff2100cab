// Goal: prefixes and the two ranges of Tailscale end where they should. Method: the borders by hand; parts of
// agent/model/address.hpp, address_text.hpp and tailnet.hpp.
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/tailnet.hpp"
#include "support/catch.hpp"
#include "unit/model/texts.hpp"

namespace flowtally::model {
namespace {

TEST_CASE("the bits behind the length of a prefix are cleared", "[unit]") {
  CHECK(Prefix::of(address("10.255.255.255"), 8).address == address("10.0.0.0"));
  CHECK(Prefix::of(address("255.255.255.255"), 0).address == address("0.0.0.0"));
  CHECK(Prefix::of(address("255.255.255.255"), 1).address == address("128.0.0.0"));
  CHECK(Prefix::of(address("255.255.255.255"), 9).address == address("255.128.0.0"));
  CHECK(Prefix::of(address("255.255.255.255"), 31).address == address("255.255.255.254"));
  CHECK(Prefix::of(address("255.255.255.255"), 32).address == address("255.255.255.255"));
  const Address ones = address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  CHECK(Prefix::of(ones, 0).address == address("::"));
  CHECK(Prefix::of(ones, 7).address == address("fe00::"));
  CHECK(Prefix::of(ones, 48).address == address("ffff:ffff:ffff::"));
  CHECK(Prefix::of(ones, 127).address == address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"));
  CHECK(Prefix::of(ones, 128).address == ones);
}

TEST_CASE("more bits than the family has mean all of them, and no address has none", "[unit]") {
  CHECK(Prefix::of(address("10.0.0.1"), 33).bits == 32);
  CHECK(Prefix::of(address("10.0.0.1"), 255).bits == 32);
  CHECK(Prefix::of(address("fd00::1"), 255).bits == 128);
  CHECK(Prefix::of({}, 128).bits == 0);
  CHECK(Prefix::single(address("10.0.0.1")) == prefix("10.0.0.1/32"));
  CHECK(Prefix::single(address("fd00::1")) == prefix("fd00::1/128"));
}

TEST_CASE("a prefix of all bits is single, in its own family", "[unit]") {
  CHECK(prefix("10.0.0.1/32").is_single());
  CHECK(prefix("fd00::1/128").is_single());
  CHECK_FALSE(prefix("10.0.0.0/31").is_single());
  CHECK_FALSE(prefix("fd00::/127").is_single());
  CHECK_FALSE(prefix("fd00::/32").is_single());
  CHECK_FALSE(prefix("0.0.0.0/0").is_single());
  CHECK_FALSE(Prefix::single({}).is_single());
}

TEST_CASE("a prefix holds what is between its first and its last address, in its own family", "[unit]") {
  struct Row {
    std::string_view prefix;
    std::vector<std::string_view> in;
    std::vector<std::string_view> out;
  };
  const std::vector<Row> rows = {
      {"10.0.0.0/8", {"10.0.0.0", "10.255.255.255"}, {"9.255.255.255", "11.0.0.0", "a00::"}},
      {"172.16.0.0/12", {"172.16.0.0", "172.31.255.255"}, {"172.15.255.255", "172.32.0.0"}},
      {"192.168.1.1/32", {"192.168.1.1"}, {"192.168.1.0", "192.168.1.2", "193.168.1.1"}},
      {"192.168.1.2/31", {"192.168.1.2", "192.168.1.3"}, {"192.168.1.1", "192.168.1.4"}},
      {"128.0.0.0/1", {"128.0.0.0", "255.255.255.255"}, {"127.255.255.255", "8000::"}},
      {"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, {"::", "::ffff:1.2.3.4"}},
      {"::/0", {"::", "::ffff:1.2.3.4", "ffff::"}, {"0.0.0.0", "255.255.255.255"}},
      {"fd00::/48", {"fd00::", "fd00::ffff:ffff:ffff:ffff:ffff"}, {"fcff:ffff::", "fd00:0:1::"}},
      {"fd00::/50", {"fd00::", "fd00:0:0:3fff:ffff::"}, {"fd00:0:0:4000::"}},
      {"fd00::1/128", {"fd00::1"}, {"fd00::", "fd00::2", "fd01::1"}},
      {"::ffff:10.0.0.0/104", {"::ffff:10.1.2.3"}, {"10.1.2.3", "::ffff:11.0.0.0"}},
  };
  for (const auto& row : rows) {
    for (const auto text : row.in) {
      INFO(row.prefix << " and " << text);
      CHECK(prefix(row.prefix).contains(address(text)));
    }
    for (const auto text : row.out) {
      INFO(row.prefix << " and " << text);
      CHECK_FALSE(prefix(row.prefix).contains(address(text)));
    }
  }
  CHECK_FALSE(prefix("0.0.0.0/0").contains({}));
  CHECK_FALSE(prefix("::/0").contains({}));
}

TEST_CASE("a prefix is read with its length, and an address alone is the prefix of itself", "[unit]") {
  CHECK(prefix("10.1.2.3/8") == Prefix::of(address("10.0.0.0"), 8));
  CHECK(prefix("10.1.2.3") == Prefix::single(address("10.1.2.3")));
  CHECK(prefix("fd00::1") == Prefix::single(address("fd00::1")));
  CHECK(prefix("0.0.0.0/0").bits == 0);
  CHECK(prefix("::/0") == Prefix::of(address("::"), 0));
  CHECK(prefix("fd00::/128").bits == 128);
  CHECK(prefix("::ffff:1.2.3.4/128").address.family == Address::Family::kV6);
}

TEST_CASE("a text that is not a prefix from its begin to its end is none", "[unit]") {
  for (const std::string_view text :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ",
        "10.0.0.0/8/8", " 10.0.0.0/8", "10.0.0/8", "fd00::/129", "fd00::/", "fd00::/0x8", "fe80::1%eth0/64",
        "10.0.0.0/255.0.0.0", "10.0.0.0/99999999999", "::1/4294967296"}) {
    INFO("\"" << text << "\"");
    CHECK_FALSE(parse_prefix(text).has_value());
  }
}

TEST_CASE("Tailscale's ranges end where net/tsaddr has it", "[unit]") {
  for (const auto text : {"100.64.0.0", "100.127.255.255", "100.100.100.100", "100.115.91.255",
                          "100.115.94.0", "100.116.92.0", "fd7a:115c:a1e0::", "fd7a:115c:a1e0::53",
                          "fd7a:115c:a1e0:ffff:ffff:ffff:ffff:ffff", "fd7a:115c:a1e0:b1a::7"}) {
    INFO(text);
    CHECK(is_tailscale_address(address(text)));
  }
  for (const auto text : {"100.63.255.255", "100.128.0.0", "100.192.0.0", "100.0.0.1", "99.64.0.1",
                          "101.64.0.1", "100.115.92.0", "100.115.92.255", "100.115.93.0", "100.115.93.255",
                          "fd7a:115c:a1df:ffff:ffff:ffff:ffff:ffff",
                          "fd7a:115c:a1e1::", "fd7a:115d:a1e0::", "::ffff:100.64.0.1", "6440:1::"}) {
    INFO(text);
    CHECK_FALSE(is_tailscale_address(address(text)));
  }
  CHECK_FALSE(is_tailscale_address({}));
}

TEST_CASE("tailscaled answers at two addresses, and at their neighbours not", "[unit]") {
  CHECK(is_service_address(address("100.100.100.100")));
  CHECK(is_service_address(address("fd7a:115c:a1e0::53")));
  CHECK_FALSE(is_service_address(address("100.100.100.101")));
  CHECK_FALSE(is_service_address(address("fd7a:115c:a1e0::54")));
  CHECK_FALSE(is_service_address(address("::ffff:100.100.100.100")));
  CHECK_FALSE(is_service_address({}));
}

}  // namespace
}  // namespace flowtally::model
