// Goal: each form has the names that it is known for, what is not known is left out, and every document is
// JSON.
#include "sink/documents.hpp"

#include <string>

#include <simdjson.h>

#include "query/line.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using model::ItemFormat;

constexpr const char* kLine =
    R"({"nodeId":"nA","start":"2025-11-23T00:00:00Z","end":"2025-11-23T00:00:05Z",)"
    R"("srcNode":{"nodeId":"nA","name":"a.ts.net","addresses":["100.64.0.1"],"os":"linux","user":"u@x"},)"
    R"("dstNodes":[{"nodeId":"nB","name":"b\"q.ts.net","addresses":["100.64.0.2"],"tags":["tag:web",)"
    R"("tag:x"]}],)"
    R"("virtualTraffic":[{"proto":6,"src":"100.64.0.1:80","dst":"100.64.0.2:4000","txPkts":1,"txBytes":40,)"
    R"("rxPkts":2,"rxBytes":80}],"exitTraffic":[{"txPkts":1,"txBytes":50}]})";

std::string document(ItemFormat format, std::size_t connection) {
  query::LineReader reader;
  const query::Line* const line = reader.read(kLine, query::Nodes::kYes);
  REQUIRE(line != nullptr);
  std::string out;
  sink::append_document(format, *line, line->connections[connection], 1'763'856'005'100'000'000, "ID", out);
  simdjson::dom::parser parser;
  INFO(out);
  CHECK(parser.parse(out).error() == simdjson::SUCCESS);
  return out;
}

}  // namespace

TEST_CASE("flattened: Tailscale's names, each end with its port", "[unit]") {
  CHECK(document(ItemFormat::kFlattened, 0) ==
        R"({"id":"ID","logged":"2025-11-23T00:00:05.1Z","nodeId":"nA","start":"2025-11-23T00:00:00Z",)"
        R"("end":"2025-11-23T00:00:05Z","class":"virtual","proto":6,"src":"100.64.0.1","srcPort":80,)"
        R"("dst":"100.64.0.2","dstPort":4000,"txPkts":1,"txBytes":40,"rxPkts":2,"rxBytes":80,)"
        R"("node":"a.ts.net",)"
        R"("peer":"b\"q.ts.net","tags":"tag:web,tag:x"})");
}

TEST_CASE("ECS: source and destination with their own counts, and the community id", "[unit]") {
  const std::string text = document(ItemFormat::kEcs, 0);
  for (const char* const part :
       {R"("@timestamp":"2025-11-23T00:00:00Z")", R"("category":["network"])", R"("iana_number":"6")",
        R"("transport":"tcp")", R"("type":"ipv4")", R"("duration":5000000000)",
        R"("source":{"address":"100.64.0.1","ip":"100.64.0.1","port":80,"packets":1,"bytes":40})",
        R"("destination":{"address":"100.64.0.2","ip":"100.64.0.2","port":4000,"packets":2,"bytes":80})",
        R"("community_id":"1:)", R"("bytes":120)", R"("id":"ID")"}) {
    CHECK_THAT(text, ContainsSubstring(part));
  }
}

TEST_CASE("OCSF: class 4001, traffic in both directions", "[unit]") {
  const std::string text = document(ItemFormat::kOcsf, 0);
  for (const char* const part : {R"("class_uid":4001)", R"("type_uid":400106)", R"("time":1763856000000)",
                                 R"("duration":5000)", R"("src_endpoint":{"ip":"100.64.0.1","port":80})",
                                 R"("packets_out":1,"bytes_out":40,"packets_in":2)"}) {
    CHECK_THAT(text, ContainsSubstring(part));
  }
}

TEST_CASE("OpenTelemetry's names, and Splunk's", "[unit]") {
  CHECK_THAT(document(ItemFormat::kOtel, 0),
             ContainsSubstring(R"("source.address":"100.64.0.1","source.port":80,"destination.address")"));
  CHECK_THAT(
      document(ItemFormat::kCim, 0),
      ContainsSubstring(R"("src_ip":"100.64.0.1","src_port":80,"dest_ip":"100.64.0.2","dest_port":4000)"));
}

TEST_CASE("what anonymised exit traffic does not have is in no document", "[unit]") {
  for (const ItemFormat format :
       {ItemFormat::kFlattened, ItemFormat::kEcs, ItemFormat::kOcsf, ItemFormat::kOtel, ItemFormat::kCim}) {
    const std::string text = document(format, 1);
    INFO(text);
    for (const char* const absent :
         {"0.0.0.0", "\"proto\"", "transport\"", "community", "port\":0", "\"ip\":\"\""}) {
      CHECK(text.find(absent) == std::string::npos);
    }
  }
}

TEST_CASE("community ids are those of the specification's examples", "[unit]") {
  const auto flow = [](const char* text) {
    query::LineReader reader;
    const std::string line =
        std::string(R"({"nodeId":"n","start":"2025-11-23T00:00:00Z","end":"2025-11-23T00:00:05Z",)"
                    R"("virtualTraffic":[)") +
        text + "]}";
    return reader.read(line, query::Nodes::kNo)->connections.front().flow;
  };
  // From the tables of community-id-spec, seed 0.
  CHECK(sink::community_id(
            flow(R"({"proto":6,"src":"128.232.110.120:34855","dst":"66.35.250.204:80","txPkts":1})")) ==
        "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
  CHECK(sink::community_id(
            flow(R"({"proto":6,"src":"66.35.250.204:80","dst":"128.232.110.120:34855","txPkts":1})")) ==
        "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
  CHECK(
      sink::community_id(flow(R"({"proto":17,"src":"192.168.1.52:54585","dst":"8.8.8.8:53","txPkts":1})")) ==
      "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
  CHECK(
      sink::community_id(flow(R"({"proto":1,"src":"192.168.1.52:0","dst":"8.8.8.8:0","txPkts":1})")).empty());
}

}  // namespace flowtally::test
