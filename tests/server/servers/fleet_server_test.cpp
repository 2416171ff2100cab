// Goal: what docs/fleet.md says works: many nodes stream to one topic, and OpenSearch and ClickHouse have
// each connection once, although nodes send some of it twice and readers of the topic read some of it twice.
//
// Method: the statements and the template are taken out of the document and out of scripts/deploy, so that
// they are what is run. A reader of the topic is played by the test: real ones cannot be had here.
#include <cstdio>
#include <memory>
#include <random>
#include <set>

#include <fmt/format.h>
#include <simdjson.h>

#include "server/servers/delivery.hpp"
#include "server/servers/kafka_consumer.hpp"
#include "server/servers/server.hpp"
#include "support/catch.hpp"
#include "support/wait_until.hpp"
#include "test_paths.h"

namespace flowtally::test {
namespace {

constexpr const char* kTopic = "flows.network";
constexpr const char* kIndex = "flows-network";

std::string read_file(const std::string& name) {
  const std::string path = std::string(FLOWTALLY_SOURCE_DIR "/") + name;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  INFO(path);
  REQUIRE(file);
  std::string text;
  std::string piece(65536, '\0');
  for (std::size_t got = 0; (got = std::fread(piece.data(), 1, piece.size(), file.get())) > 0;)
    text.append(piece, 0, got);
  return text;
}

/// The block of the document whose first line is `-- NAME`.
std::string statement(const std::string& name) {
  static const std::string document = read_file("docs/fleet.md");
  const std::string begin = "```sql\n-- " + name + "\n";
  const std::size_t at = document.find(begin);
  INFO(name);
  REQUIRE(at != std::string::npos);
  const std::size_t first = at + begin.size();
  return document.substr(first, document.find("```", first) - first);
}

/// Records of one node: clients on changing ports, a few servers, sizes of all magnitudes. The same for the
/// same node.
std::vector<std::string> records_of(unsigned node, std::size_t records, std::size_t connections) {
  std::mt19937_64 random(node);
  const auto below = [&random](std::uint64_t limit) { return random() % limit; };
  const auto magnitude = [&] { return (std::uint64_t{1} << below(24)) + below(1000); };
  std::vector<std::string> made;
  for (std::size_t number = 0; number < records; ++number) {
    const std::size_t second = number * 5;
    std::string traffic;
    for (std::size_t at = 0; at < connections; ++at) {
      traffic +=
          fmt::format(R"({}{{"proto":{},"src":"100.64.{}.{}:{}","dst":"100.64.0.{}:{}",)"
                      R"("txPkts":{},"txBytes":{},"rxPkts":{},"rxBytes":{}}})",
                      traffic.empty() ? "" : ",", below(8) == 0 ? 17 : 6, node / 250, node % 250 + 1,
                      32768 + below(28000), below(20) + 1, below(3) == 0 ? 443 : 8000 + below(10),
                      magnitude() / 500 + 1, magnitude() + 40, magnitude() / 500 + 1, magnitude() + 40);
    }
    made.push_back(fmt::format(
        R"({{"logged":"2026-11-22T{0:02}:{1:02}:{2:02}.1Z","nodeId":"n{3:05}CNTRL",)"
        R"("start":"2026-11-22T{0:02}:{1:02}:{2:02}.06{4:07}Z",)"
        R"("end":"2026-11-22T{0:02}:{1:02}:{5:02}.06{4:07}Z","virtualTraffic":[{6}],)"
        R"("accounting":{{"bootId":"5f0c3b1e-8b7e-4a53-9f0e-{3:012x}","epoch":{7},"part":1,"parts":1,)"
        R"("totals":{{}}}}}})",
        second / 3600, second / 60 % 60, second % 60, node, below(10'000'000), second % 60 + 4, traffic,
        number + 1));
  }
  return made;
}

model::SinkSettings to_topic(const Server& kafka) {
  model::SinkSettings settings{
      .name = "fleet", .format = model::ItemFormat::kFlattened, .compression = model::Compression::kZstd};
  settings.receiver =
      model::KafkaSettings{.brokers = fmt::format("127.0.0.1:{}", kafka.port()), .topic = "flows.{log}"};
  return settings;
}

/// As a connector does: each message by its id, and a message that is there is no failure.
void index(const Server& opensearch, std::span<const KafkaMessage> messages) {
  std::string body;
  for (const KafkaMessage& message : messages)
    body += fmt::format("{{\"create\":{{\"_id\":\"{}\"}}}}\n{}\n", message.headers.at("flowtally-id"),
                        message.value);
  const WebAnswer answer = ask({.url = opensearch.url(fmt::format("/{}/_bulk", kIndex)),
                                .method = "POST",
                                .body = body,
                                .headers = {"Content-Type: application/x-ndjson"}});
  REQUIRE(answer.status == 200);
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(answer.body);
  const simdjson::dom::array items = document["items"].get_array().value();
  for (const simdjson::dom::element item : items) {
    const std::uint64_t status = item["create"]["status"].get_uint64().value();
    INFO(simdjson::minify(item));
    REQUIRE((status == 201 || status == 409));
  }
}

std::string query(const Server& clickhouse, const std::string& sql, const std::string& rows = "") {
  std::string where = clickhouse.url("/");
  std::string body = sql;
  if (!rows.empty()) {
    where = clickhouse.url(
        "/?input_format_skip_unknown_fields=1&query=INSERT%20INTO%20flows%20FORMAT%20JSONEachRow");
    body = rows;
  }
  const WebAnswer answer = ask({.url = where, .method = "POST", .body = body});
  INFO(sql << ": " << answer.body);
  REQUIRE(answer.status == 200);
  return answer.body;
}

void insert(const Server& clickhouse, std::span<const KafkaMessage> messages) {
  std::string rows;
  for (const KafkaMessage& message : messages) rows += message.value + "\n";
  query(clickhouse, "", rows);
}

std::uint64_t sum_of(const Items& items, const char* name) {
  simdjson::dom::parser parser;
  std::uint64_t sum = 0;
  for (const auto& [id, text] : items) sum += parser.parse(text)[name].get_uint64().value();
  return sum;
}

/// The files below, in bytes.
std::uintmax_t size_of(const std::filesystem::path& folder, const std::string& name) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().string().find(name) != std::string::npos)
      bytes += entry.file_size();
  }
  return bytes;
}

}  // namespace

TEST_CASE("a fleet's connections are once in OpenSearch and once in ClickHouse") {
  const Server kafka("kafka");
  const Server opensearch("opensearch");
  const Server clickhouse("clickhouse");
  REQUIRE(ask({.url = opensearch.url("/_index_template/flows"),
               .method = "PUT",
               .body = read_file("scripts/deploy/opensearch/flows-template.json"),
               .headers = {"Content-Type: application/json"}})
              .status == 200);
  query(clickhouse, statement("table"));

  constexpr unsigned kNodes = 30;
  constexpr std::size_t kRecords = 20;
  constexpr std::size_t kConnections = 10;
  Items sent;
  for (unsigned node = 0; node < kNodes; ++node) {
    const auto records = records_of(node, kRecords, kConnections);
    sent.merge(deliver(to_topic(kafka), records));
    // Killed before it could move its cursor: some comes again.
    if (node % 3 == 0) static_cast<void>(deliver(to_topic(kafka), {records.begin() + 15, records.end()}));
  }
  REQUIRE(sent.size() == kNodes * kRecords * kConnections);
  const std::size_t messages_sent = sent.size() + kNodes / 3 * 5 * kConnections;
  const auto messages = consume(fmt::format("127.0.0.1:{}", kafka.port()), kTopic, messages_sent);
  CHECK(messages.size() == messages_sent);
  // Readers that were killed too: each begins again a little before where it was.
  const std::span<const KafkaMessage> all(messages);
  for (std::size_t first = 0; first < all.size(); first += 1000) {
    const std::size_t from = first < 300 ? 0 : first - 300;
    const auto some = all.subspan(from, std::min<std::size_t>(all.size() - from, first - from + 1000));
    index(opensearch, some);
    insert(clickhouse, some);
  }

  static_cast<void>(ask({.url = opensearch.url(fmt::format("/{}/_refresh", kIndex)), .method = "POST"}));
  const WebAnswer counted = ask({.url = opensearch.url(fmt::format("/{}/_search", kIndex)),
                                 .method = "POST",
                                 .body = read_file("scripts/deploy/opensearch/flows-total.json"),
                                 .headers = {"Content-Type: application/json"}});
  INFO(counted.body);
  simdjson::dom::parser parser;
  const simdjson::dom::element found = parser.parse(counted.body);
  CHECK(found["hits"]["total"]["value"].get_uint64().value() == sent.size());
  CHECK(found["aggregations"]["txBytes"]["value"].get_double().value() ==
        static_cast<double>(sum_of(sent, "txBytes")));
  CHECK(found["aggregations"]["nodes"]["value"].get_uint64().value() == kNodes);

  CHECK(query(clickhouse, statement("totals")) ==
        fmt::format("{}\t{}\t{}\n", sent.size(), sum_of(sent, "txBytes"), sum_of(sent, "rxBytes")));
  CHECK_FALSE(query(clickhouse, statement("duplicates")).starts_with("0\t"));
  query(clickhouse, "OPTIMIZE TABLE flows FINAL");
  CHECK(query(clickhouse, statement("duplicates")) == fmt::format("0\t{}\n", sent.size()));
  CHECK_FALSE(query(clickhouse, statement("talkers")).empty());
}

/// For docs/benchmarks.md: `fleet_server_test "[sizes]"`.
TEST_CASE("what a connection takes in Kafka, OpenSearch and ClickHouse", "[.][sizes]") {
  const Server kafka("kafka");
  const Server opensearch("opensearch");
  const Server clickhouse("clickhouse");
  static_cast<void>(ask({.url = opensearch.url("/_index_template/flows"),
                         .method = "PUT",
                         .body = read_file("scripts/deploy/opensearch/flows-template.json"),
                         .headers = {"Content-Type: application/json"}}));
  query(clickhouse, statement("table"));
  std::size_t count = 0;
  std::size_t record_bytes = 0;
  std::size_t bytes = 0;
  for (unsigned node = 0; node < 100; ++node) {
    const auto records = records_of(node, 100, 20);
    for (const std::string& record : records) record_bytes += record.size() + 1;
    const Items sent = deliver(to_topic(kafka), records);
    count += sent.size();
    for (const auto& [id, text] : sent) bytes += text.size();
  }
  const auto messages = consume(fmt::format("127.0.0.1:{}", kafka.port()), kTopic, count);
  const std::span<const KafkaMessage> all(messages);
  for (std::size_t first = 0; first < all.size(); first += 5000) {
    const auto some = all.subspan(first, std::min<std::size_t>(all.size() - first, 5000));
    index(opensearch, some);
    insert(clickhouse, some);
  }
  static_cast<void>(ask(
      {.url = opensearch.url("/flows-network/_forcemerge?max_num_segments=1&flush=true"), .method = "POST"}));
  query(clickhouse, "OPTIMIZE TABLE flows FINAL");
  const auto of = [count](auto total) { return static_cast<double>(total) / static_cast<double>(count); };
  const WebAnswer stats = ask({.url = opensearch.url("/flows-network/_stats/store")});
  simdjson::dom::parser parser;
  const std::uint64_t stored =
      parser.parse(stats.body)["_all"]["primaries"]["store"]["size_in_bytes"].get_uint64().value();
  const std::string columns =
      query(clickhouse, "SELECT sum(bytes) FROM system.parts WHERE table = 'flows' AND active");
  fmt::print(
      "{} connections; bytes each: record {:.0f}, document {:.0f}, Kafka {:.0f}, OpenSearch {:.0f}, "
      "ClickHouse {:.0f}\n",
      count, of(record_bytes), of(bytes), of(size_of(kafka.directory() / "data", kTopic)), of(stored),
      of(std::stod(columns)));
}

}  // namespace flowtally::test
