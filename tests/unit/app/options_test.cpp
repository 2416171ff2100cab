#include "app/options.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "support/catch.hpp"

namespace flowtally::app {
namespace {

using Catch::Matchers::ContainsSubstring;
using std::chrono::milliseconds;

/// What every refusal of an option has: the kind that ends with exit code 2, and something to do.
template <class Value>
void check_refused(const base::Result<Value>& result, const std::string& remedy) {
  REQUIRE_FALSE(result);
  CHECK(result.error().code() == base::ErrorCode::kInvalidArgument);
  CHECK_THAT(result.error().remedy(), ContainsSubstring(remedy));
  CHECK_THAT(result.error().text(), ContainsSubstring(remedy));
}

// ---- durations

TEST_CASE("a duration is a whole number and its unit", "[unit]") {
  struct Case {
    const char* text;
    std::int64_t ms;
  };
  const auto row =
      GENERATE(Case{"250ms", 250}, Case{"5s", 5000}, Case{"2m", 120'000}, Case{"1h", 3'600'000},
               Case{"0s", 0}, Case{"0ms", 0}, Case{"007s", 7000}, Case{"90m", 5'400'000},
               Case{"1099511627776ms", 1099511627776}, Case{"1099511627776h", 3958241859993600000});
  INFO(row.text);
  const auto duration = parse_duration(row.text);
  REQUIRE(duration);
  CHECK(duration->count() == row.ms);
}

TEST_CASE("what is no duration is refused with examples of some that are", "[unit]") {
  const std::string text =
      GENERATE(as<std::string>(), "", "s", "ms", "5", "0", "5 s", " 5s", "5s ", "5s\n", "-5s", "+5s", "1.5s",
               "1,5s", "5S", "5sec", "5d", "5us", "5mss", "0x5s", "1h30m", "five", "s5",
               "99999999999999999999s", "18446744073709551616ms", "18446744073709551615h", "1099511627777ms");
  INFO(text);
  const auto duration = parse_duration(text);
  check_refused(duration, "Write 250ms, 5s, 2m or 1h");
  CHECK_THAT(duration.error().text(), ContainsSubstring("\"" + text + "\""));
}

TEST_CASE("a text is not read past its end", "[unit]") {
  CHECK(parse_duration(std::string_view("5ms", 2)).value() == std::chrono::minutes(5));
  CHECK_FALSE(parse_duration(std::string_view("50s", 2)));
  CHECK(parse_flows_max(std::string_view("640", 2)).value() == 64);
  CHECK(parse_interface(std::string_view("tun0/1", 4)).value() == "tun0");
}

// ---- intervals

TEST_CASE("an interval is from a tenth of a second to an hour, both included", "[unit]") {
  CHECK(parse_interval("100ms").value() == kIntervalMin);
  CHECK(parse_interval("5s").value() == milliseconds(5000));
  CHECK(parse_interval("3600000ms").value() == kIntervalMax);
  CHECK(parse_interval("60m").value() == kIntervalMax);
  CHECK(parse_interval("1h").value() == kIntervalMax);
}

TEST_CASE("an interval out of bounds is refused with the bounds", "[unit]") {
  const std::string text =
      GENERATE(as<std::string>(), "99ms", "0ms", "0s", "3600001ms", "3601s", "61m", "2h", "1099511627776h");
  INFO(text);
  const auto interval = parse_interval(text);
  check_refused(interval, "from 100ms to 1h");
  CHECK_THAT(interval.error().text(), ContainsSubstring(text));
}

TEST_CASE("an interval that is no duration is refused as one", "[unit]") {
  const std::string text = GENERATE(as<std::string>(), "", "5", "5 s", "-5s", "99999999999999999999s");
  INFO(text);
  check_refused(parse_interval(text), "Write 250ms, 5s, 2m or 1h");
}

// ---- the most flows

TEST_CASE("a number of flows may be written with k and M, which are powers of 1024", "[unit]") {
  struct Case {
    const char* text;
    std::uint32_t flows;
  };
  const auto row = GENERATE(Case{"16", 16}, Case{"131072", 131072}, Case{"1k", 1024}, Case{"64k", 65536},
                            Case{"64K", 65536}, Case{"2M", 2097152}, Case{"16M", 16777216},
                            Case{"16384k", 16777216}, Case{"16777216", 16777216}, Case{"00016", 16});
  INFO(row.text);
  const auto flows = parse_flows_max(row.text);
  REQUIRE(flows);
  CHECK(*flows == row.flows);
}

TEST_CASE("a number of flows that is none, or out of bounds, is refused with the bounds", "[unit]") {
  const std::string text =
      GENERATE(as<std::string>(), "", "0", "15", "3", "16777217", "17M", "16385k", "4294967312",
               "18446744073709551616", "18446744073709551615k", "99999999999999999999", "18014398509482000k",
               "17592186044417M", "-16", "+16", "1.5k", "1 k", " 64", "64 ", "1kk", "1kM", "1m", "1G", "k",
               "M", "0k", "0M", "many", "0x40");
  INFO(text);
  const auto flows = parse_flows_max(text);
  check_refused(flows, "from 16 to 16777216");
  CHECK_THAT(flows.error().text(), ContainsSubstring("\"" + text + "\""));
}

// ---- node ids

TEST_CASE("a node id is printable and at most 128 bytes", "[unit]") {
  const std::string text =
      GENERATE(as<std::string>(), "n", "nLive-01_CNTRL", "!", "~", "\"\\", std::string(128, 'x'));
  INFO(text);
  CHECK(parse_node_id(text).value() == text);
}

TEST_CASE("a node id that is not is refused", "[unit]") {
  const std::string text = GENERATE(as<std::string>(), "", " ", "a b", " a", "a ", "a\t", "a\n", "a\x7f",
                                    "\x1b[31m", "nä", "\xff", std::string(129, 'x'), std::string("a\0b", 3));
  INFO(text);
  check_refused(parse_node_id(text), "1 to 128 printable ASCII characters");
}

// ---- interfaces

TEST_CASE("an interface is named as the kernel names it", "[unit]") {
  const std::string text = GENERATE(as<std::string>(), "tailscale0", "lo", "eth0.100", "123456789012345");
  CHECK(parse_interface(text).value() == text);
}

TEST_CASE("what the kernel would not take for a name is refused with the rules", "[unit]") {
  const std::string text = GENERATE(as<std::string>(), "", ".", "..", "a/b", "a:1", "a b", "1234567890123456",
                                    std::string("tun0\0x", 6));
  INFO(text);
  const auto name = parse_interface(text);
  check_refused(name, "1 to 15 characters without slash, colon or space");
  CHECK_THAT(name.error().text(), ContainsSubstring("\"" + text + "\""));
}

}  // namespace
}  // namespace flowtally::app
