// Goal: ClickHouse has every connection that was streamed over its HTTP interface, with every number
// unchanged.
#include <fmt/format.h>

#include "server/servers/delivery.hpp"
#include "server/servers/server.hpp"
#include "sink/receiver.hpp"
#include "support/catch.hpp"
#include "unit/sink_receivers/batches.hpp"

namespace flowtally::test {
namespace {

constexpr std::size_t kRecords = 20'000;

std::string query(const Server& server, const std::string& sql) {
  const WebAnswer answer = ask({.url = server.url("/"), .method = "POST", .body = sql});
  INFO(answer.body);
  REQUIRE(answer.status == 200);
  return answer.body;
}

}  // namespace

TEST_CASE("ClickHouse has every connection, and says what is wrong") {
  const Server server("clickhouse");
  query(server,
        "CREATE TABLE flows (nodeId String, start String, class String, proto UInt8, src String, srcPort "
        "UInt16, "
        "dst String, dstPort UInt16, txPkts UInt64, txBytes UInt64, rxPkts UInt64, rxBytes UInt64) "
        "ENGINE = MergeTree() PARTITION BY tuple() ORDER BY (start, nodeId)");
  model::SinkSettings settings{.name = "clickhouse",
                               .format = model::ItemFormat::kFlattened,
                               .compression = model::Compression::kGzip};
  const std::string insert =
      "/?query=INSERT%20INTO%20flows%20FORMAT%20JSONEachRow&input_format_skip_unknown_fields=1";
  settings.receiver = model::HttpSettings{.url = server.url(insert), .profile = "clickhouse"};
  deliver(settings, record_texts(kRecords), 5000);
  CHECK(query(server,
              "SELECT count(), uniqExact(txBytes), sum(txBytes), sum(rxBytes), sum(srcPort) FROM flows") ==
        fmt::format("{}\t{}\t{}\t{}\t{}\n", 2 * kRecords, 2 * kRecords,
                    2'001'000 * kRecords + kRecords * (kRecords - 1), 5'000'000'000 * kRecords,
                    1024 * kRecords + kRecords * (kRecords - 1) / 2));
  CHECK(query(server, "SELECT dst, dstPort, class, proto FROM flows WHERE txBytes = 1007") ==
        "100.64.0.2\t8000\tvirtual\t6\n");

  const auto verdict = [&](const std::string& path, const std::string& text) {
    settings.receiver = model::HttpSettings{.url = server.url(path), .profile = "clickhouse"};
    auto receiver = sink::make_receiver(settings, model::LogType::kNetwork);
    REQUIRE(receiver);
    return (*receiver)->send(batch_of({text}), 0, 1, {}).verdict;
  };
  CHECK(verdict("/?query=INSERT%20INTO%20nowhere%20FORMAT%20JSONEachRow", R"({"nodeId":"x"})") !=
        sink::Verdict::kDelivered);
  CHECK(verdict(insert, R"({"txBytes":"no number"})") != sink::Verdict::kDelivered);
}

}  // namespace flowtally::test
