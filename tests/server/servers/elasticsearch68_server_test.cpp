// Goal: Elasticsearch 6.8 with security has every document that was streamed, once, whatever is sent again,
// and a wrong password is the configuration's fault.
#include "server/servers/elastic_documents.hpp"
#include "sink/receiver.hpp"
#include "support/catch.hpp"
#include "unit/sink_receivers/batches.hpp"

namespace flowtally::test {

TEST_CASE(
    "Elasticsearch 6.8 with security has every document once, and refuses who does not know the password") {
  const Server server("elasticsearch68");
  const model::ElasticSettings known{.url = server.url(),
                                     .user = "elastic",
                                     .password = model::Secret("flowtally1"),
                                     .index = "flows-{log}"};
  const auto records = record_texts(kElasticRecords);
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
