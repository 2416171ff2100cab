// Goal: which path is which, and what is answered where nothing is asked of a socket. Method: requests as
// values, against an agent without a kernel over a real journal.
#include "api/routes.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "record/text.hpp"
#include "server/api/fake_source.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;

std::string text_of(api::Answer& answer);

struct Rig {
  TempDir folder;
  FakeSource source{folder.path.string()};
  api::Service service{source, api::Limits{.log_readers = 1, .slot_wait = std::chrono::milliseconds(1)}};

  api::Answer ask(std::string_view target, std::string method = "GET", bool has_body = false) {
    auto parsed = api::parse_target(target);
    REQUIRE(parsed.has_value());
    return api::answer_request(
        service, {.method = std::move(method), .target = std::move(*parsed), .has_body = has_body});
  }

  /// How many records a listing of that range has.
  std::size_t count(std::string_view range) {
    api::Answer answer = ask("/api/v2/tailnet/-/logging/network" + std::string(range));
    CHECK(answer.status == 200);
    const std::string text = text_of(answer);
    CHECK(text.starts_with("{\"logs\":["));
    CHECK(text.ends_with("]}\n"));
    std::size_t records = 0;
    for (std::size_t at = text.find("\"logged\""); at != std::string::npos;
         at = text.find("\"logged\"", at + 1)) {
      ++records;
    }
    return records;
  }

  std::int64_t logged = 0;  ///< of the latest record
};

std::string text_of(api::Answer& answer) {
  if (!answer.body) return answer.text;
  std::string text;
  std::string room(1000, '\0');
  for (auto bytes = answer.body->read(room); *bytes != 0; bytes = answer.body->read(room)) {
    REQUIRE(bytes.has_value());
    text.append(room, 0, *bytes);
  }
  return text;
}

std::string header_of(const api::Answer& answer, std::string_view name) {
  for (const auto& [have, value] : answer.headers) {
    if (have == name) return value;
  }
  return {};
}

constexpr std::string_view kLogs = "/api/v2/tailnet/-/logging/network";
constexpr std::string_view kAll = "?start=2026-11-23T00:00:00Z&end=2027-11-23T00:00:00Z";

}  // namespace

TEST_CASE("a path that is not there is 404 with a message", "[unit]") {
  Rig rig;
  for (const char* const target :
       {"/", "/api", "/api/v1", "/api/v1/status/", "/metrics/x", "/api/v2/tailnet//devices",
        "/api/v2/tailnet/-/logging", "/api/v2/tailnet/-/logging/network/stream/x",
        "/api/v2/tailnet/-/logging/network/", "/%2e%2e/metrics"}) {
    CAPTURE(target);
    const api::Answer answer = rig.ask(target);
    CHECK(answer.status == 404);
    CHECK_THAT(answer.text, ContainsSubstring("{\"message\":\""));
  }
}

TEST_CASE("a method that a path does not take is 405 with those that it does", "[unit]") {
  Rig rig;
  for (const char* const method :
       {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "GET, HEAD"}) {
    CAPTURE(method);
    const api::Answer answer = rig.ask("/metrics", method, true);
    CHECK(answer.status == 405);
    CHECK(header_of(answer, "Allow") == "GET, HEAD");
  }
  CHECK(rig.ask("/metrics", "GET", true).status == 413);
  CHECK(rig.ask("/metrics", "HEAD").status == 200);
}

TEST_CASE("a listing has the records of its range, the start included and the end not", "[unit]") {
  Rig rig;
  rig.source.append(10, 3);
  CHECK(rig.count(kAll) == 10);
  CHECK(rig.count("?start=2026-11-23T00:00:05Z&end=2026-11-23T00:00:10Z") == 1);
  CHECK(rig.count("?start=2026-11-23T00:00:05.000000001Z&end=2026-11-23T00:00:10Z") == 0);
  CHECK(rig.count("?start=2026-11-23T00:00:05Z&end=2026-11-23T00:00:10.000000001Z") == 2);
  CHECK(rig.count("?start=2026-11-23T00:00:05Z&end=2026-11-23T00:00:05Z") == 0);
  CHECK(rig.count("?start=2026-11-23T00:00:50Z&end=2026-11-24T00:00:00Z") == 1);
  CHECK(rig.count("?start=2020-01-01T00:00:00Z&end=2021-01-01T00:00:00Z") == 0);
}

TEST_CASE("a record that was logged long after its window is listed by when it was logged", "[unit]") {
  Rig rig;
  constexpr std::int64_t kHour = 3'600'000'000'000;
  constexpr std::int64_t kDelay = 300'000'000;  // as a rule
  std::int64_t end = kFirstEndNs;
  const auto append = [&](int windows, std::int64_t delay) {
    for (int window = 0; window < windows; ++window, end += kWindowNs) {
      rig.source.append_logged(end, std::max(end + delay, rig.logged));
      rig.logged = std::max(end + delay, rig.logged);
    }
  };
  append(100, kDelay);
  const std::int64_t late_from = end;
  append(30, 3 * kHour);  // the disk was full
  end += 4 * kHour;
  append(20, kDelay);

  const auto between = [&](std::int64_t from, std::int64_t to) {
    return rig.count(fmt::format("?start={}&end={}", record::time_text(from), record::time_text(to)));
  };
  CHECK(between(kFirstEndNs, end + kHour) == 150);
  CHECK(between(kFirstEndNs, late_from) == 100);
  CHECK(between(late_from, late_from + kHour) == 0);
  CHECK(between(late_from + 3 * kHour, late_from + 4 * kHour) == 30);
  CHECK(between(late_from + 3 * kHour + 10 * kWindowNs, end + kHour) == 40);
  // Ranges that share borders have each record once.
  std::size_t sum = 0;
  for (std::int64_t at = kFirstEndNs; at < end + kHour; at += kHour / 7) sum += between(at, at + kHour / 7);
  CHECK(sum == 150);
  // A record is logged at a time at which its window was over, though the range begins there.
  CHECK(between(kFirstEndNs + kDelay, kFirstEndNs + kDelay + 1) == 1);
}

TEST_CASE("an empty journal, and one that there is not, list nothing", "[unit]") {
  Rig rig;
  {
    api::Answer network = rig.ask(std::string(kLogs) + std::string(kAll));
    CHECK(text_of(network) == "{\"logs\":[]}\n");
  }
  api::Answer configuration =
      rig.ask("/api/v2/tailnet/example.com/logging/configuration" + std::string(kAll));
  CHECK(text_of(configuration) == "{\"version\":\"1.1\",\"tailnetId\":\"-\",\"logs\":[]}\n");
}

TEST_CASE("a listing without a range is 400", "[unit]") {
  Rig rig;
  CHECK(rig.ask(kLogs).status == 400);
  CHECK(rig.ask(std::string(kLogs) + "?start=2026-11-23T00:00:00Z&end=2026-11-22T00:00:00Z").status == 400);
}

TEST_CASE("a place among the readers is taken until the body is gone", "[unit]") {
  Rig rig;
  {
    const api::Answer first = rig.ask(std::string(kLogs) + std::string(kAll));
    const api::Answer second = rig.ask(std::string(kLogs) + std::string(kAll));
    CHECK(second.status == 503);
    CHECK(header_of(second, "Retry-After") == "5");
    CHECK(rig.ask(std::string(kLogs) + std::string(kAll), "HEAD").status == 200);
  }
  CHECK(rig.ask(std::string(kLogs) + std::string(kAll)).status == 200);
}

TEST_CASE("devices are the nodes as Tailscale's API has them", "[unit]") {
  Rig rig;
  api::Answer answer = rig.ask("/api/v2/tailnet/-/devices?fields=all");
  const std::string text = text_of(answer);
  CHECK_THAT(text,
             ContainsSubstring(R"({"devices":[{"id":"nLab01CNTRL","nodeId":"nLab01CNTRL",)"
                               R"("name":"lab-n1.tailnet-lab.ts.net","hostname":"lab-n1","os":"linux",)"
                               R"("user":"user@example.com","addresses":["100.64.0.1"],"authorized":true,)"));
  CHECK_THAT(text, ContainsSubstring(R"("tags":["tag:server"],"advertisedRoutes":["10.9.0.0/24"])"));
  CHECK_THAT(text, ContainsSubstring(R"("name":"quote\"d.tailnet-lab.ts.net")"));
  // Two are online; of the third nobody knows when it was.
  CHECK(text.find("lastSeen") != text.rfind("lastSeen"));
  CHECK(text.rfind("lastSeen") < text.find("nLab03CNTRL"));
}

TEST_CASE("peers and the live window are told", "[unit]") {
  Rig rig;
  api::Answer peers = rig.ask("/api/v1/peers");
  CHECK_THAT(text_of(peers), ContainsSubstring(R"({"source":"tailscaled","self":{"id":"nLab01CNTRL",)"));
  api::Answer live = rig.ask("/api/v1/flows/live");
  const std::string text = text_of(live);
  CHECK_THAT(text, ContainsSubstring(R"({"logs":[{"nodeId":"nLab01CNTRL",)"));
  CHECK_THAT(text, ContainsSubstring(R"("virtualTraffic":[{"proto":6,)"));
  CHECK(text.ends_with("]}\n"));
}

TEST_CASE("a follower with an id that is none, or that is to come, is 400", "[unit]") {
  Rig rig;
  rig.source.append(2, 1);
  const auto follow = [&](std::string id) {
    return api::answer_request(rig.service, {.method = "GET",
                                             .target = *api::parse_target("/api/v1/flows/live"),
                                             .accept = "text/event-stream",
                                             .last_event_id = std::move(id)})
        .status;
  };
  CHECK(follow("2") == 200);
  CHECK(follow("3") == 400);
  CHECK(follow("x") == 400);
  CHECK(follow("-1") == 400);
  CHECK(follow("18446744073709551615") == 400);
  CHECK(follow("99999999999999999999999") == 400);
}

}  // namespace flowtally::test
