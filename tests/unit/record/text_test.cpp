#include "record/text.hpp"

#include <array>
#include <cstring>
#include <limits>
#include <string>

#include <arpa/inet.h>

#include "model/address_text.hpp"
#include "record/parse.hpp"
#include "support/catch.hpp"
#include "unit/record/golden_lines.hpp"
#include "unit/record/random_traffic.hpp"

namespace flowtally::record {
namespace {

model::Address v6(const std::array<std::uint16_t, 8>& groups) {
  model::Address address{.family = model::Address::Family::kV6};
  for (std::size_t group = 0; group < 8; ++group) {
    address.bytes[group * 2] = static_cast<std::uint8_t>(groups[group] >> 8U);
    address.bytes[group * 2 + 1] = static_cast<std::uint8_t>(groups[group]);
  }
  return address;
}

std::string libc_text(const model::Address& address) {
  char text[INET6_ADDRSTRLEN]{};
  const int family = address.family == model::Address::Family::kV4 ? AF_INET : AF_INET6;
  REQUIRE(::inet_ntop(family, address.bytes.data(), text, sizeof text) != nullptr);
  return text;
}

std::string number_text(std::uint64_t number) {
  char text[kNumberBytesMax];
  return {text, put_number(number, text)};
}

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}

TEST_CASE("numbers are written in full, at every count of digits", "[unit]") {
  std::uint64_t power = 1;
  for (unsigned digits = 1; digits <= 20; ++digits) {
    for (const std::uint64_t number : {power - 1, power, power + 1}) {
      CHECK(number_text(number) == std::to_string(number));
      CHECK(decimal_digits(number) == std::to_string(number).size());
    }
    power *= 10;
  }
  CHECK(number_text(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
}

TEST_CASE("an IPv6 address is written as RFC 5952 wants it", "[unit]") {
  struct Case {
    std::string_view rule;
    std::array<std::uint16_t, 8> groups;
    std::string_view text;
  };
  const Case cases[] = {
      {"4.1: no leading zeros", {0x2001, 0xdb8, 0xa, 0xb, 0xc, 0xd, 0xe, 0x1}, "2001:db8:a:b:c:d:e:1"},
      {"4.2.1: as short as can be", {0x2001, 0xdb8, 0, 0, 0, 0, 2, 1}, "2001:db8::2:1"},
      {"4.2.2: one zero group is not shortened", {0x2001, 0xdb8, 0, 1, 1, 1, 1, 1}, "2001:db8:0:1:1:1:1:1"},
      {"4.2.3: the longest run", {0x2001, 0, 0, 1, 0, 0, 0, 1}, "2001:0:0:1::1"},
      {"4.2.3: the first of equals", {0x2001, 0xdb8, 0, 0, 1, 0, 0, 1}, "2001:db8::1:0:0:1"},
      {"4.3: lower case",
       {0x2001, 0xDB8, 0xAAAA, 0xBBBB, 0xCCCC, 0xDDDD, 0xEEEE, 0xFFFF},
       "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"},
      {"all zero", {}, "::"},
      {"a run at the begin", {0, 0, 0, 0, 0, 0, 0, 1}, "::1"},
      {"a run at the end", {0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0}, "fd7a:115c:a1e0::"},
      {"single zeros at both ends", {0, 1, 1, 1, 1, 1, 1, 0}, "0:1:1:1:1:1:1:0"},
      {"a run of two at the end", {1, 1, 1, 1, 1, 1, 0, 0}, "1:1:1:1:1:1::"},
      {"IPv4-mapped", {0, 0, 0, 0, 0, 0xffff, 0x0102, 0x0304}, "::ffff:1.2.3.4"},
      {"IPv4-compatible is not special to Go", {0, 0, 0, 0, 0, 0, 0x0102, 0x0304}, "::102:304"},
  };
  for (const Case& row : cases) {
    INFO(row.rule);
    CHECK(to_text(v6(row.groups)) == row.text);
  }
}

TEST_CASE("endpoints read as Go's netip.AddrPort prints them, and are read back", "[unit]") {
  for (const auto& [hex, text] : golden_pairs("go-addresses.txt")) {
    const std::string bytes = from_hex(hex);
    model::Endpoint endpoint{
        .address = {.family = bytes.size() == 4 ? model::Address::Family::kV4 : model::Address::Family::kV6}};
    std::memcpy(endpoint.address.bytes.data(), bytes.data(), bytes.size());
    endpoint.port = static_cast<std::uint16_t>(std::stoul(text.substr(text.rfind(':') + 1)));
    CHECK(to_text(endpoint) == text);
    CHECK(endpoint_bytes(endpoint) == text.size());
    CHECK(model::parse_endpoint(text) == endpoint);
  }
}

TEST_CASE("an address reads as inet_ntop has it, but for IPv4-compatible ones", "[unit]") {
  // Goal: a second opinion on many more addresses than a table holds. Method: random ones, rich in zero
  // groups; the one known difference (glibc writes ::102:304 as ::1.2.3.4, Go does not) is left out by its
  // form.
  RandomTraffic random(20261122);
  std::size_t compared = 0;
  for (int round = 0; round < 200'000; ++round) {
    const model::Address address = round % 4 == 0 ? random.v4() : random.v6();
    const std::string libc = libc_text(address);
    const bool compatible = libc.find(':') != std::string::npos && libc.find('.') != std::string::npos &&
                            !libc.starts_with("::ffff:");
    const std::string ours = to_text(address);
    if (!compatible && ours != libc) FAIL_CHECK(ours << " is not " << libc);
    if (model::parse_address(ours) != address) FAIL_CHECK(ours << " is not read back");
    compared += compatible ? 0 : 1;
  }
  CHECK(compared > 190'000);
}

TEST_CASE("no address has no text, whatever the port", "[unit]") {
  CHECK(to_text(model::Address{}).empty());
  CHECK(to_text(model::Endpoint{.address = {}, .port = 80}).empty());
  CHECK(endpoint_bytes({.address = {}, .port = 80}) == 0);
}

TEST_CASE("times read as Go's RFC3339Nano prints them, and are read back", "[unit]") {
  for (const auto& [number, text] : golden_pairs("go-times.txt")) {
    const std::int64_t unix_ns = std::stoll(number);
    CHECK(time_text(unix_ns) == text);
    CHECK(parse_time(text) == unix_ns);
    CHECK(text.size() <= kTimeBytesMax);
  }
}

TEST_CASE("strings are escaped as Go's encoding/json does it", "[unit]") {
  for (const auto& [hex, json] : golden_pairs("go-strings.txt")) {
    INFO(hex);
    CHECK(json_text(from_hex(hex)) == json);
  }
}

TEST_CASE("every byte of broken UTF-8 is replaced on its own", "[unit]") {
  CHECK(json_text("a\xE2\x82z") == R"("a\ufffd\ufffdz")");
  CHECK(json_text("\xED\xA0\x80") == R"("\ufffd\ufffd\ufffd")");  // a surrogate
}

}  // namespace
}  // namespace flowtally::record
