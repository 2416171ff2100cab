#include "api/time_range.hpp"

#include "support/catch.hpp"

namespace flowtally::test {
namespace {

base::Result<api::TimeRange> range_of(std::string_view target) {
  return api::parse_range(api::parse_target(target)->parameters);
}

std::string fault_of(std::string_view target) {
  const auto range = range_of(target);
  REQUIRE_FALSE(range.has_value());
  CHECK(range.error().code() == base::ErrorCode::kInvalidArgument);
  return range.error().text();
}

constexpr std::int64_t kMidnightNs = 1'795'392'000'000'000'000;  // 2026-11-23T00:00:00Z

}  // namespace

TEST_CASE("a range is read in any zone and with fractions", "[unit]") {
  // 05:30 east of Greenwich, as a Go client in India sends it: escaped, and with the fraction of TSFlow.
  const auto range = range_of("/?end=2026-11-23T00%3A00%3A00.250Z&start=2026-11-23T04%3A59%3A20%2B05%3A30");
  REQUIRE(range.has_value());
  CHECK(range->start_ns == kMidnightNs - 1'840'000'000'000);
  CHECK(range->end_ns == kMidnightNs + 250'000'000);
}

TEST_CASE("the sign of an offset may come as a space", "[unit]") {
  CHECK(range_of("/?start=2026-11-23T01:00:00+01:00&end=2026-11-23T00:00:00Z") ==
        api::TimeRange{.start_ns = kMidnightNs, .end_ns = kMidnightNs});
}

TEST_CASE("what is missing, no time, or the wrong way round is named", "[unit]") {
  CHECK_THAT(fault_of("/?start=2026-11-23T00:00:00Z"), Catch::Matchers::ContainsSubstring("end is missing"));
  CHECK_THAT(fault_of("/?end=2026-11-23T00:00:00Z&start="),
             Catch::Matchers::ContainsSubstring("start is missing"));
  CHECK_THAT(fault_of("/?start=yesterday&end=2026-11-23T00:00:00Z"),
             Catch::Matchers::ContainsSubstring("start is no time"));
  CHECK_THAT(fault_of("/?start=2026-11-23T00:00:00Z&end=2026-11-22T23:59:59.999999999Z"),
             Catch::Matchers::ContainsSubstring("before the start"));
  for (const char* const text :
       {"2026-11-23", "2026-11-23T00:00:00", "1795392000", "2026-13-23T00:00:00Z", " "}) {
    CAPTURE(text);
    CHECK_FALSE(api::parse_instant(text).has_value());
  }
  CHECK_FALSE(api::parse_instant(std::string(10'000, '1')).has_value());
}

}  // namespace flowtally::test
