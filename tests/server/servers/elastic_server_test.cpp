// Goal: OpenSearch, and Elasticsearch 6.8 with security, have every document that was streamed, once,
// whatever is sent again.
#include <simdjson.h>

#include "server/servers/delivery.hpp"
#include "server/servers/server.hpp"
#include "sink/receiver.hpp"
#include "support/catch.hpp"
#include "unit/sink_receivers/batches.hpp"

namespace flowtally::test {
namespace {

constexpr std::size_t kRecords = 4000;  // 8,000 documents: what one answer may hold

/// Documents by their ids.
Items documents(const Server& server, const std::string& index, const std::string& login) {
  static_cast<void>(ask({.url = server.url("/" + index + "/_refresh"), .method = "POST", .login = login}));
  const WebAnswer answer = ask({.url = server.url("/" + index + "/_search?size=10000"), .login = login});
  INFO(answer.body.substr(0, 1000));
  REQUIRE(answer.status == 200);
  Items found;
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(answer.body);
  for (const simdjson::dom::element hit : document["hits"]["hits"].get_array().value())
    found[std::string(hit["_id"].get_string().value())] = simdjson::minify(hit["_source"].value());
  return found;
}

void check_same(const Items& found, const Items& sent) {
  CHECK(found.size() == sent.size());
  std::size_t different = 0;
  simdjson::dom::parser parser;
  for (const auto& [id, text] : sent) {
    const auto there = found.find(id);
    different +=
        there == found.end() || there->second != simdjson::minify(parser.parse(text).value()) ? 1U : 0U;
  }
  CHECK(different == 0);
}

model::SinkSettings sink_to(model::ElasticSettings elastic) {
  model::SinkSettings settings{
      .name = "siem", .format = model::ItemFormat::kEcs, .compression = model::Compression::kGzip};
  settings.receiver = std::move(elastic);
  return settings;
}

}  // namespace

TEST_CASE("OpenSearch has every document once in a data stream, also after all is sent again") {
  const Server server("opensearch");
  const auto settings =
      sink_to({.url = server.url(), .index = "logs-flowtally.{log}-default", .install_template = true});
  const auto records = record_texts(kRecords);
  const Items sent = deliver(settings, records);
  REQUIRE(sent.size() == 2 * kRecords);
  const std::string index = "logs-flowtally.network-default";
  check_same(documents(server, index, ""), sent);
  CHECK(deliver(settings, records, 1000) == sent);
  check_same(documents(server, index, ""), sent);

  // The template makes addresses addresses and counts numbers.
  const WebAnswer answer =
      ask({.url = server.url("/" + index + "/_search?size=0"),
           .method = "POST",
           .body = R"({"query":{"bool":{"filter":[{"term":{"destination.ip":"100.64.0.0/24"}},)"
                   R"({"range":{"@timestamp":{"gte":"2026-11-22T23:29:00Z"}}}]}},)"
                   R"("aggs":{"sent":{"sum":{"field":"source.bytes"}}},"track_total_hits":true})",
           .headers = {"Content-Type: application/json"}});
  INFO(answer.body);
  REQUIRE(answer.status == 200);
  simdjson::dom::parser parser;
  const simdjson::dom::element found = parser.parse(answer.body);
  CHECK(found["hits"]["total"]["value"].get_uint64().value() == kRecords);
  CHECK(found["aggregations"]["sent"]["value"].get_double().value() ==
        static_cast<double>(1000 * kRecords + kRecords * (kRecords - 1) / 2));
}

TEST_CASE(
    "Elasticsearch 6.8 with security has every document once, and refuses who does not know the password") {
  const Server server("elasticsearch68");
  const model::ElasticSettings known{.url = server.url(),
                                     .user = "elastic",
                                     .password = model::Secret("flowtally1"),
                                     .index = "flows-{log}"};
  const auto records = record_texts(kRecords);
  const Items sent = deliver(sink_to(known), records);
  check_same(documents(server, "flows-network", "elastic:flowtally1"), sent);
  CHECK(deliver(sink_to(known), records, 1000) == sent);
  check_same(documents(server, "flows-network", "elastic:flowtally1"), sent);

  model::ElasticSettings unknown = known;
  unknown.password = model::Secret("wrong-one");
  auto receiver = sink::make_receiver(sink_to(unknown), model::LogType::kNetwork);
  REQUIRE(receiver);
  const sink::Outcome outcome =
      (*receiver)->send(batch_of({R"({"@timestamp":"2026-11-22T23:29:06Z"})"}), 0, 1, {});
  CHECK(outcome.verdict == sink::Verdict::kMisconfigured);
  CHECK(outcome.reason.find("wrong-one") == std::string::npos);
}

}  // namespace flowtally::test
