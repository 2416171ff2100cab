// Goal: VictoriaLogs has what was streamed to each of its inputs, by count and by content.
#include <map>
#include <set>

#include <fmt/format.h>
#include <simdjson.h>

#include "server/servers/delivery.hpp"
#include "server/servers/server.hpp"
#include "sink/receiver.hpp"
#include "support/catch.hpp"
#include "support/wait_until.hpp"
#include "unit/sink_receivers/batches.hpp"

namespace flowtally::test {
namespace {

using Row = std::map<std::string, std::string>;

constexpr std::size_t kRecords = 5000;

/// All that is there.
std::vector<Row> rows(const Server& server) {
  const WebAnswer answer =
      ask({.url = server.url("/select/logsql/query"), .method = "POST", .body = "query=*&limit=100000"});
  std::vector<Row> found;
  simdjson::dom::parser parser;
  simdjson::dom::document_stream lines;
  const std::size_t window = answer.body.size() + 64;
  REQUIRE(parser.parse_many(answer.body.data(), answer.body.size(), window).get(lines) == simdjson::SUCCESS);
  for (auto line : lines) {
    simdjson::dom::object members;
    REQUIRE(line.get(members) == simdjson::SUCCESS);
    Row& row = found.emplace_back();
    for (const auto member : members)
      row[std::string(member.key)] = std::string(member.value.get_string().value());
  }
  return found;
}

/// Waits for so many, and a look longer, so that one too many would be seen.
std::vector<Row> rows(const Server& server, std::size_t count) {
  std::vector<Row> found;
  wait_until([&] { return (found = rows(server)).size() >= count; });
  return found;
}

/// The row of each item has the item's text as its message.
void check_messages(const std::vector<Row>& found, const Items& sent, const std::string& id) {
  REQUIRE(found.size() == sent.size());
  std::size_t different = 0;
  for (const Row& row : found) {
    const auto item = sent.find(row.at(id));
    different += item == sent.end() || item->second != row.at("_msg") ? 1U : 0U;
  }
  CHECK(different == 0);
}

/// Each row has every member of its document, and no other has its txBytes.
void check_members(const std::vector<Row>& found, const Items& sent, const std::string& key) {
  REQUIRE(found.size() == sent.size());
  std::map<std::string, const Row*> by_key;
  for (const Row& row : found) by_key[row.at(key)] = &row;
  std::size_t different = 0;
  simdjson::dom::parser parser;
  for (const auto& [id, text] : sent) {
    const simdjson::dom::object members = parser.parse(text);
    const auto row = by_key.find(simdjson::minify(members[key].value()));
    REQUIRE(row != by_key.end());
    for (const auto member : members) {
      std::string_view value;
      const std::string wanted =
          member.value.get(value) == simdjson::SUCCESS ? std::string(value) : simdjson::minify(member.value);
      const auto there = row->second->find(std::string(member.key));
      different += there == row->second->end() || there->second != wanted ? 1U : 0U;
    }
  }
  CHECK(different == 0);
}

model::SinkSettings sink_of(model::ReceiverSettings receiver,
                            model::ItemFormat format = model::ItemFormat::kRecord) {
  model::SinkSettings settings{.name = "logs", .format = format};
  settings.receiver = std::move(receiver);
  return settings;
}

}  // namespace

TEST_CASE("VictoriaLogs has by OTLP every record as a message") {
  const Server server("victoria-logs");
  auto settings = sink_of(model::OtlpSettings{.url = server.url("/insert/opentelemetry")});
  settings.compression = GENERATE(model::Compression::kNone, model::Compression::kGzip);
  const Items sent = deliver(settings, record_texts(kRecords));
  check_messages(rows(server, sent.size()), sent, "log.record.uid");
}

TEST_CASE("VictoriaLogs has by OTLP every connection's attributes") {
  const Server server("victoria-logs");
  const Items sent = deliver(
      sink_of(model::OtlpSettings{.url = server.url("/insert/opentelemetry")}, model::ItemFormat::kOtel),
      record_texts(kRecords));
  CHECK(sent.size() == 2 * kRecords);
  const auto found = rows(server, sent.size());
  check_members(found, sent, "flowtally.tx.bytes");
  CHECK(found.front().at("service.name") == "flowtally");
}

TEST_CASE("VictoriaLogs has by Loki's protocol every line, with labels and structured metadata") {
  const Server server("victoria-logs");
  auto settings = sink_of(model::LokiSettings{.url = server.url("/insert?disable_message_parsing=1"),
                                              .tenant = "0:0",
                                              .labels = {{"site", "lab"}}},
                          model::ItemFormat::kFlattened);
  settings.compression = model::Compression::kGzip;
  const Items sent = deliver(settings, record_texts(kRecords), 1000);
  const auto found = rows(server, sent.size());
  check_messages(found, sent, "id");
  for (const Row& row : {found.front(), found.back()}) {
    CHECK(row.at("_stream") == R"({job="flowtally",log="network",node="nLab01CNTRL",site="lab"})");
    CHECK(row.at("src") == "100.64.0.1");
  }
}

TEST_CASE("VictoriaLogs has by syslog every record as a message") {
  const Server server("victoria-logs");
  const Items sent =
      deliver(sink_of(model::SyslogSettings{.address = fmt::format("127.0.0.1:{}", server.port() + 1),
                                            .host_name = "gate"}),
              record_texts(kRecords));
  const auto found = rows(server, sent.size());
  check_messages(found, sent, "flowtally@32473.id");
  CHECK(found.front().at("hostname") == "gate");
}

TEST_CASE("VictoriaLogs has by Elasticsearch's protocol every document") {
  const Server server("victoria-logs");
  const Items sent =
      deliver(sink_of(model::ElasticSettings{.url = server.url("/insert/elasticsearch"), .index = "flows"},
                      model::ItemFormat::kFlattened),
              record_texts(kRecords));
  check_members(rows(server, sent.size()), sent, "txBytes");
}

/// VictoriaLogs takes only texts for members there, which Datadog does not mind: so these are no flows.
TEST_CASE("VictoriaLogs has by Datadog's protocol every document") {
  const Server server("victoria-logs");
  auto settings =
      sink_of(model::HttpSettings{.url = server.url("/insert/datadog/api/v2/logs"), .profile = "datadog"});
  settings.compression = model::Compression::kGzip;
  auto receiver = sink::make_receiver(settings, model::LogType::kNetwork);
  REQUIRE(receiver);
  constexpr std::size_t kItems = 1000;  // what Datadog takes at once
  std::vector<std::string> texts;
  for (std::size_t number = 0; number < kItems; ++number)
    texts.push_back(
        fmt::format(R"({{"message":"event {0}","ddsource":"flowtally","number":"{0}"}})", number));
  const sink::Outcome outcome = (*receiver)->send(batch_of(texts), 0, texts.size(), {});
  INFO(outcome.reason);
  REQUIRE(outcome.verdict == sink::Verdict::kDelivered);
  const auto found = rows(server, kItems);
  REQUIRE(found.size() == kItems);
  std::set<std::string> numbers;
  for (const Row& row : found) {
    CHECK(row.at("_msg") == "event " + row.at("number"));
    numbers.insert(row.at("number"));
  }
  CHECK(numbers.size() == kItems);
}

TEST_CASE("VictoriaLogs has by its own protocol every document") {
  const Server server("victoria-logs");
  const Items sent =
      deliver(sink_of(model::HttpSettings{.url = server.url("/insert/jsonline?_stream_fields=nodeId&"
                                                            "_time_field=start&_msg_field=class"),
                                          .profile = "victorialogs"},
                      model::ItemFormat::kFlattened),
              record_texts(kRecords));
  const auto found = rows(server, sent.size());
  REQUIRE(found.size() == sent.size());
  std::size_t different = 0;
  for (const Row& row : found) {
    const auto item = sent.find(row.at("id"));
    different += item == sent.end() ||
                 item->second.find("\"txBytes\":" + row.at("txBytes") + ",") == std::string::npos;
  }
  CHECK(different == 0);
}

}  // namespace flowtally::test
