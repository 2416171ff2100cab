#include "record/parse.hpp"

#include "model/address_text.hpp"
#include "record/text.hpp"
#include "support/catch.hpp"

namespace flowtally::record {
namespace {

std::string again(std::string_view text) {
  const auto address = model::parse_address(text);
  return address ? to_text(*address) : "refused";
}

TEST_CASE("addresses are read in every form of RFC 4291", "[unit]") {
  CHECK(again("100.64.0.1") == "100.64.0.1");
  CHECK(again("2001:DB8:0:0:8:800:200C:417A") == "2001:db8::8:800:200c:417a");
  CHECK(again("0:0:0:0:0:0:13.1.68.3") == "::d01:4403");
  CHECK(again("::13.1.68.3") == "::d01:4403");
  CHECK(again("::FFFF:129.144.52.38") == "::ffff:129.144.52.38");
  CHECK(again("::") == "::");
  CHECK(again("1::") == "1::");
  CHECK(again("::1") == "::1");
  CHECK(again("1:2:3:4:5:6:7::") == "1:2:3:4:5:6:7:0");
  CHECK(again("::2:3:4:5:6:7:8") == "0:2:3:4:5:6:7:8");
  CHECK(again("1:2:3:4:5:6:1.2.3.4") == "1:2:3:4:5:6:102:304");
}

TEST_CASE("an IPv4-mapped address stays IPv6", "[unit]") {
  CHECK(model::parse_address("::ffff:1.2.3.4").value_or(model::Address{}).family ==
        model::Address::Family::kV6);
  CHECK(model::parse_address("1.2.3.4").value_or(model::Address{}).family == model::Address::Family::kV4);
}

TEST_CASE("what is no address is refused", "[unit]") {
  const auto* const text = GENERATE(
      "", ".", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1.2.3.256", "1.2.3.04", "01.2.3.4", "1.2.3.-4",
      "1.2.3.4 ", " 1.2.3.4", "1..2.3", "1.2.3.99999999999999999999", ":", ":::", "1:", ":1", "1::2::3",
      "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8",
      "12345::", "g::", "fe80::1%eth0", "::1.2.3", "::1.2.3.256", "1.2.3.4::", "1:2:3:4:5:6:7:1.2.3.4",
      "1:2:3:4:5:1.2.3.4", "::1.2.3.4:5", "+1::", "-1::", "[::1]", "0x1::", "1:2:3:4:5:6:7:", "::0x1");
  INFO(text);
  CHECK_FALSE(model::parse_address(text));
}

TEST_CASE("endpoints need brackets for IPv6, none for IPv4, and a port in range", "[unit]") {
  CHECK(to_text(model::parse_endpoint("1.2.3.4:0").value_or(model::Endpoint{})) == "1.2.3.4:0");
  CHECK(to_text(model::parse_endpoint("[fe80::1]:65535").value_or(model::Endpoint{})) == "[fe80::1]:65535");
  const auto* const text =
      GENERATE("", "1.2.3.4", "1.2.3.4:", ":80", "1.2.3.4:65536", "1.2.3.4:080", "1.2.3.4:8 0", "1.2.3.4:-1",
               "1.2.3.4:+1", "[1.2.3.4]:80", "::1:80", "[::1]", "[::1]80", "[::1:80", "::1]:80", "[]:80",
               "[:80", "[[::1]]:80", "[fe80::1%eth0]:80", "1.2.3.4:99999999999999999999");
  INFO(text);
  CHECK_FALSE(model::parse_endpoint(text));
}

TEST_CASE("times may have an offset and any number of fraction digits up to nine", "[unit]") {
  constexpr std::int64_t kNoon = 1'700'049'600'000'000'000;  // 2023-11-15T12:00:00Z
  CHECK(parse_time("2023-11-15T12:00:00Z") == kNoon);
  CHECK(parse_time("2023-11-15T12:00:00.000000000Z") == kNoon);
  CHECK(parse_time("2023-11-15T12:00:00.5Z") == kNoon + 500'000'000);
  CHECK(parse_time("2023-11-15T14:00:00+02:00") == kNoon);
  CHECK(parse_time("2023-11-15T06:30:00.000000001-05:30") == kNoon + 1);
  CHECK(parse_time("2024-02-29T00:00:00Z").has_value());
}

TEST_CASE("what is no time, or beyond 64 bits of nanoseconds, is refused", "[unit]") {
  const auto* const text =
      GENERATE("", "2023-11-15", "2023-11-15T12:00:00", "2023-11-15 12:00:00Z", "2023-11-15t12:00:00z",
               "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z", "2023-02-29T00:00:00Z", "2023-04-31T00:00:00Z",
               "2023-11-15T24:00:00Z", "2023-11-15T12:60:00Z", "2023-11-15T12:00:60Z",
               "2023-11-15T12:00:00.Z", "2023-11-15T12:00:00.1234567890Z", "2023-11-15T12:00:00,5Z",
               "2023-11-15T12:00:00ZZ", "2023-11-15T12:00:00+2:00", "2023-11-15T12:00:00+24:00",
               "2023-1-15T12:00:00Z", "+023-11-15T12:00:00Z", "1677-09-21T00:12:43.145224191Z",
               "2262-04-11T23:47:16.854775808Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z");
  INFO(text);
  CHECK_FALSE(parse_time(text));
}

}  // namespace
}  // namespace flowtally::record
