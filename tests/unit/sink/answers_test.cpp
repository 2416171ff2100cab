// Goal: each answer of a receiver means what its contract says: Splunk's table of codes, Elasticsearch's
// statuses of items, the answers that are a success by their status and are none.
#include <string>
#include <utility>
#include <vector>

#include "sink/elastic_answer.hpp"
#include "sink/elastic_template.hpp"
#include "sink/hec_answer.hpp"
#include "sink/hec_event.hpp"
#include "sink/http_profile.hpp"
#include "support/catch.hpp"
#include "unit/sink/fake_receiver.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using sink::HttpAnswer;
using sink::Outcome;
using sink::Verdict;

Outcome hec(long status, const std::string& body, std::size_t count = 3) {
  const HttpAnswer answer{.status = status, .body = body};
  return sink::hec_outcome(answer, sink::read_hec_answer(answer), count);
}

std::string bulk(const std::vector<int>& statuses, const std::string& error = {}) {
  std::string items;
  for (const int status : statuses) {
    if (!items.empty()) items += ',';
    items += R"({"create":{"status":)" + std::to_string(status) + error + "}}";
  }
  return R"({"took":1,"errors":true,"items":[)" + items + "]}";
}

}  // namespace

TEST_CASE("Splunk's codes mean what its table says", "[unit]") {
  const std::vector<std::pair<std::pair<long, int>, Verdict>> table = {
      {{200, 0}, Verdict::kDelivered},      {{403, 1}, Verdict::kMisconfigured},
      {{401, 2}, Verdict::kMisconfigured},  {{401, 3}, Verdict::kMisconfigured},
      {{403, 4}, Verdict::kMisconfigured},  {{400, 5}, Verdict::kBisect},
      {{400, 6}, Verdict::kBisect},         {{400, 7}, Verdict::kMisconfigured},
      {{500, 8}, Verdict::kRetry},          {{503, 9}, Verdict::kRetry},
      {{400, 10}, Verdict::kMisconfigured}, {{400, 11}, Verdict::kMisconfigured},
      {{400, 12}, Verdict::kBisect},        {{400, 13}, Verdict::kBisect},
      {{400, 14}, Verdict::kMisconfigured}, {{400, 15}, Verdict::kBisect},
      {{400, 16}, Verdict::kMisconfigured}, {{503, 18}, Verdict::kRetry},
      {{429, 26}, Verdict::kRetry},         {{429, 27}, Verdict::kRetry}};
  for (const auto& [answer, verdict] : table) {
    INFO("status " << answer.first << ", code " << answer.second);
    const Outcome outcome =
        hec(answer.first, R"({"text":"why","code":)" + std::to_string(answer.second) + "}");
    CHECK(outcome.verdict == verdict);
    if (verdict != Verdict::kDelivered) CHECK_THAT(outcome.reason, ContainsSubstring("why"));
  }
}

TEST_CASE(
    "Splunk: the event that is wrong is refused, those before it are in, those behind it are sent again",
    "[unit]") {
  const Outcome outcome = hec(400, R"({"text":"Invalid data format","code":6,"invalid-event-number":1})");
  CHECK(outcome.items == std::vector<Verdict>{Verdict::kDelivered, Verdict::kRefused, Verdict::kRetry});
  // A number that no event has is no help.
  CHECK(hec(400, R"({"text":"x","code":6,"invalid-event-number":7})").items.empty());
}

TEST_CASE("Splunk: whatever else is a success or a failure goes by its status", "[unit]") {
  CHECK(hec(202, "").verdict == Verdict::kDelivered);
  CHECK(hec(200, "{\"text\":\"Success\",\"code\":0}").verdict == Verdict::kDelivered);
  CHECK(hec(404, "<html>").verdict == Verdict::kMisconfigured);
  CHECK(hec(413, "").verdict == Verdict::kTooLarge);
  CHECK(hec(502, "").verdict == Verdict::kRetry);
  CHECK(hec(0, "").verdict == Verdict::kRetry);
  CHECK(sink::is_acknowledged(R"({"acks":{"3":true,"4":false}})", 3));
  CHECK_FALSE(sink::is_acknowledged(R"({"acks":{"3":true,"4":false}})", 4));
  CHECK_FALSE(sink::is_acknowledged("[]", 4));
}

TEST_CASE("Splunk's envelope has the time as a number, the item as it is and when it was logged", "[unit]") {
  sink::Batch batch = batch_of({R"({"a":1})"});
  batch.items[0].time_ns = 1'763'856'000'000'000'012;
  batch.items[0].logged_ns = 1'763'856'001'000'000'000;
  std::string out;
  sink::append_hec_event(batch, batch.items[0],
                         sink::hec_members({.index = "net", .host = "h\"1"}, model::LogType::kNetwork), out);
  CHECK(out ==
        R"({"time":1763856000.000000012,"host":"h\"1","source":"flowtally","sourcetype":"tailscale:network",)"
        R"("index":"net","event":{"a":1},"fields":{"recorded":"2025-11-23T00:00:01Z"}})");
}

TEST_CASE("Elasticsearch: each item has a fate of its own", "[unit]") {
  const Outcome outcome = sink::bulk_outcome(
      {.status = 200,
       .body = bulk(
           {201, 409, 429, 503, 400},
           R"(,"error":{"type":"mapper_parsing_exception","reason":"no ip","caused_by":{"reason":"deep"}})")},
      5, true);
  CHECK(outcome.items == std::vector<Verdict>{Verdict::kDelivered, Verdict::kAlreadyThere, Verdict::kRetry,
                                              Verdict::kRetry, Verdict::kRefused});
  CHECK(outcome.reasons.back() == "status 400: mapper_parsing_exception: no ip: deep");
}

TEST_CASE("Elasticsearch: a conflict without ids of ours is no success", "[unit]") {
  CHECK(sink::bulk_outcome({.status = 200, .body = bulk({409})}, 1, false).items.front() ==
        Verdict::kRefused);
}

TEST_CASE("Elasticsearch: an answer that does not speak of every item is no success", "[unit]") {
  for (const char* const body :
       {"", "{}", "{\"items\":[]}", "{\"took\":1,\"errors\":false,\"items\":[]}", "<html>", "[1]"}) {
    INFO(body);
    const Outcome outcome = sink::bulk_outcome({.status = 200, .body = body}, 2, true);
    CHECK(outcome.verdict == Verdict::kMisconfigured);
    CHECK(outcome.items.empty());
  }
  CHECK(sink::bulk_outcome({.status = 200, .body = bulk({201})}, 2, true).verdict == Verdict::kMisconfigured);
}

TEST_CASE("Elasticsearch: what is wrong with the whole request throws nothing away", "[unit]") {
  for (const long status : {400L, 401L, 403L, 404L}) {
    CHECK(sink::bulk_outcome({.status = status, .body = "{}"}, 2, true).verdict == Verdict::kMisconfigured);
  }
  CHECK(sink::bulk_outcome({.status = 413}, 2, true).verdict == Verdict::kTooLarge);
  CHECK(sink::bulk_outcome({.status = 503}, 2, true).verdict == Verdict::kRetry);
}

TEST_CASE("Elasticsearch's version says whether documents have a type", "[unit]") {
  CHECK(sink::read_version(R"({"version":{"number":"6.8.23"}})").typed());
  CHECK_FALSE(sink::read_version(R"({"version":{"number":"8.11.0"}})").typed());
  CHECK_FALSE(sink::read_version(R"({"version":{"number":"2.19.1","distribution":"opensearch"}})").typed());
  CHECK_FALSE(sink::read_version("").typed());
  CHECK_THAT(sink::index_template("logs-x", false), ContainsSubstring("\"data_stream\":{}"));
  CHECK_THAT(sink::index_template("logs-x", true), ContainsSubstring("\"_doc\""));
}

TEST_CASE("profiles look into answers where a status does not say all", "[unit]") {
  const auto judged = [](const char* profile, long status, const std::string& body, Verdict first) {
    Outcome outcome{.verdict = first};
    sink::http_profile(profile)->judge({.status = status, .body = body}, 5, outcome);
    return outcome.verdict;
  };
  CHECK(judged("axiom", 200, R"({"ingested":5,"failed":0})", Verdict::kDelivered) == Verdict::kDelivered);
  CHECK(judged("axiom", 200, R"({"ingested":4,"failed":1,"failures":[{"error":"x"}]})",
               Verdict::kDelivered) == Verdict::kBisect);
  CHECK(judged("clickhouse", 500, "Code: 27. DB::Exception: Cannot parse", Verdict::kRetry) ==
        Verdict::kBisect);
  CHECK(judged("clickhouse", 404, "Code: 60. DB::Exception: no table", Verdict::kMisconfigured) ==
        Verdict::kMisconfigured);
  CHECK(judged("clickhouse", 500, "Code: 241. DB::Exception: memory", Verdict::kRetry) == Verdict::kRetry);
  CHECK(sink::http_profile("nobody") == nullptr);
}

}  // namespace flowtally::test
