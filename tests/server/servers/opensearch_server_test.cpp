// Goal: OpenSearch has every document that was streamed, once, whatever is sent again, and can look for it.
#include <simdjson.h>

#include "server/servers/elastic_documents.hpp"
#include "support/catch.hpp"
#include "unit/sink_receivers/batches.hpp"

namespace flowtally::test {

TEST_CASE("OpenSearch has every document once in a data stream, also after all is sent again") {
  const Server server("opensearch");
  const auto settings =
      sink_to({.url = server.url(), .index = "logs-flowtally.{log}-default", .install_template = true});
  const auto records = record_texts(kElasticRecords);
  const Items sent = deliver(settings, records);
  REQUIRE(sent.size() == 2 * kElasticRecords);
  const std::string index = "logs-flowtally.network-default";
  check_same(documents(server, index), sent);
  CHECK(deliver(settings, records, 1000) == sent);
  check_same(documents(server, index), sent);

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
  CHECK(found["hits"]["total"]["value"].get_uint64().value() == kElasticRecords);
  CHECK(found["aggregations"]["sent"]["value"].get_double().value() ==
        static_cast<double>(1000 * kElasticRecords + kElasticRecords * (kElasticRecords - 1) / 2));
}

}  // namespace flowtally::test
