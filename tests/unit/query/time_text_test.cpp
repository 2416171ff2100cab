#include "query/time_text.hpp"

#include <string>

#include "record/parse.hpp"
#include "record/text.hpp"
#include "support/catch.hpp"

namespace flowtally::query {
namespace {

std::int64_t utc(const std::string& text) { return record::parse_time(text).value(); }

/// Two hours east of UTC until a moment, one hour after it, as at the end of summer time.
ZoneOffset summer_until(std::int64_t end_ns) {
  return
      [end_ns](std::int64_t unix_ns) { return unix_ns < end_ns ? std::int64_t{7200} : std::int64_t{3600}; };
}

}  // namespace

TEST_CASE("times are read as people say them", "[unit]") {
  const std::int64_t now = utc("2026-11-23T14:30:00Z");
  const ZoneOffset zone = [](std::int64_t) { return std::int64_t{3600}; };  // 15:30 here
  const auto at = [&](const std::string& text) {
    const auto moment = parse_moment(text, now, zone);
    INFO(text);
    REQUIRE(moment);
    return record::time_text(*moment);
  };
  CHECK(at("now") == "2026-11-23T14:30:00Z");
  CHECK(at("90s") == "2026-11-23T14:28:30Z");
  CHECK(at("15m") == "2026-11-23T14:15:00Z");
  CHECK(at("2h") == "2026-11-23T12:30:00Z");
  CHECK(at("3d") == "2026-11-20T14:30:00Z");
  CHECK(at("1w") == "2026-11-16T14:30:00Z");
  CHECK(at("today") == "2026-11-22T23:00:00Z");
  CHECK(at("yesterday") == "2026-11-21T23:00:00Z");
  CHECK(at("03:12") == "2026-11-23T02:12:00Z");
  CHECK(at("15:31") == "2026-11-22T14:31:00Z");  // not yet today
  CHECK(at("03:12:30.5") == "2026-11-23T02:12:30.5Z");
  CHECK(at("2026-11-20") == "2026-11-19T23:00:00Z");
  CHECK(at("2026-11-20 03:12") == "2026-11-20T02:12:00Z");
  CHECK(at("2026-11-20T03:12:30") == "2026-11-20T02:12:30Z");
  CHECK(at("2026-11-20T03:12:30Z") == "2026-11-20T03:12:30Z");
  CHECK(at("2026-11-20T03:12:30+05:30") == "2026-11-19T21:42:30Z");
}

TEST_CASE("what is no time is refused with what is allowed", "[unit]") {
  const ZoneOffset zone = [](std::int64_t) { return std::int64_t{0}; };
  for (const char* const text :
       {"", "tomorrow", "5", "-5m", "5x", "5 m", "24:00", "3:12", "03:60", "2026-13-01", "2026-11-31",
        "2026-11-20 3:12", "2026-11-20x03:12", "99999999999d", "2026-11-20T03:12:30+99:00"}) {
    const auto moment = parse_moment(text, 0, zone);
    INFO(text);
    REQUIRE_FALSE(moment);
    CHECK(moment.error().text().find("Write 90s, 15m") != std::string::npos);
  }
}

TEST_CASE("on the day when clocks change, each side has its own offset", "[unit]") {
  // Clocks go from 03:00 to 02:00 at 01:00 UTC.
  const ZoneOffset zone = summer_until(utc("2026-10-25T01:00:00Z"));
  const std::int64_t now = utc("2026-10-25T12:00:00Z");
  CHECK(parse_moment("today", now, zone) == utc("2026-10-24T22:00:00Z"));
  CHECK(parse_moment("2026-10-25 01:30", now, zone) == utc("2026-10-24T23:30:00Z"));
  CHECK(parse_moment("2026-10-25 04:00", now, zone) == utc("2026-10-25T03:00:00Z"));
}

}  // namespace flowtally::query
