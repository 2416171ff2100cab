// Goal: whatever fails on the way to a real server, and also when the server itself dies, it has every item
// of the journal in the end: once where it knows ids or keys, at least once elsewhere.
//
// Method: streams go through a proxy that draws a fault for each connection by lot; what the server has is
// read back and compared with the items that the journal makes.
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <simdjson.h>

#include "journal/reader.hpp"
#include "server/servers/elastic_documents.hpp"
#include "server/servers/kafka_consumer.hpp"
#include "server/sink/rig.hpp"
#include "sink/batch_maker.hpp"
#include "support/fault_proxy.hpp"

namespace flowtally::test {
namespace {

constexpr std::chrono::seconds kLong(120);
constexpr std::uint64_t kHourOfWindows = 720;

/// What the journal comes to with these settings.
Items items_of(const Written& written, const model::SinkSettings& settings) {
  auto reader = journal::JournalReader::open(written.directory());
  auto maker = sink::BatchMaker::make(settings, model::LogType::kNetwork);
  REQUIRE(reader);
  REQUIRE(maker);
  Items items;
  for (;;) {
    auto step = reader->next();
    REQUIRE(step);
    if (std::holds_alternative<journal::AtEnd>(*step)) return items;
    const auto& record = std::get<journal::Record>(*step);
    sink::Batch batch{.first = record.sequence, .next = record.sequence};
    REQUIRE(maker->add(record, batch));
    for (const sink::Item& item : batch.items) items[item_id(batch, item)] = batch.text_of(item);
  }
}

std::set<std::string> texts_of(const Items& items) {
  std::set<std::string> texts;
  for (const auto& [id, text] : items) texts.insert(text);
  return texts;
}

model::SinkSettings patient(model::ReceiverSettings receiver) {
  auto settings = quick(std::move(receiver));
  settings.batch.items_max = 200;
  settings.retry.request_timeout = std::chrono::seconds(3);
  return settings;
}

FaultProxyOptions every_fault(const Server& server) {
  return {.to = server.port(), .faults = {kLinkFaults.begin(), kLinkFaults.end()}, .sound_bytes = 150'000};
}

std::string url_of(const FaultProxy& proxy, const std::string& path = "") {
  return fmt::format("http://127.0.0.1:{}{}", proxy.port(), path);
}

/// Streams the journal to its end, adding to it until each fault has come to pass. Then the way is sound.
void stream_through(FaultProxy& proxy, Written& written, const model::SinkSettings& settings) {
  const auto stream = stream_of(written, settings);
  const auto all_happened = [&] {
    const auto happened = proxy.happened();
    return std::ranges::all_of(happened, [](int times) { return times > 0; });
  };
  wait_until(
      [&] {
        if (stream->status().next > written.records()) written.append(100);
        return all_happened();
      },
      kLong);
  proxy.be_sound();
  wait_until([&] { return stream->status().next == written.records() + 1; }, kLong);
  CHECK(stream->status().refused_items == 0);
  CHECK(stream->status().retries > 0);
}

std::set<std::string> victoria_messages(const Server& server) {
  const WebAnswer answer =
      ask({.url = server.url("/select/logsql/query"), .method = "POST", .body = "query=*&limit=1000000"});
  std::set<std::string> found;
  simdjson::dom::parser parser;
  simdjson::dom::document_stream lines;
  REQUIRE(parser.parse_many(answer.body.data(), answer.body.size(), answer.body.size() + 64).get(lines) ==
          simdjson::SUCCESS);
  for (const auto line : lines) {
    std::string_view message;
    REQUIRE(line["_msg"].get(message) == simdjson::SUCCESS);
    found.emplace(message);
  }
  return found;
}

}  // namespace

TEST_CASE(
    "OpenSearch has everything once: faults on the way, and an hour's outage that begins with kill -9") {
  Server server("opensearch");
  FaultProxy proxy(every_fault(server));
  Written written;
  written.append(1000);
  const std::string index = "logs-flowtally.network-default";
  auto settings = patient(model::ElasticSettings{
      .url = url_of(proxy), .index = "logs-flowtally.{log}-default", .install_template = true});
  settings.format = model::ItemFormat::kEcs;
  stream_through(proxy, written, settings);
  REQUIRE(written.records() < 4000);  // two documents each, and 10,000 are what one answer holds
  check_same(documents(server, index), items_of(written, settings));

  const auto stream = stream_of(written, settings);
  written.append(100);
  wait_until([&] { return stream->status().state == model::SinkState::kSending; });
  server.kill();
  written.append(kHourOfWindows);
  wait_until([&] { return stream->status().state == model::SinkState::kRetrying; });
  server.start();
  wait_until([&] { return stream->status().next == written.records() + 1; }, kLong);
  CHECK(stream->status().refused_items == 0);
  CHECK(stream->status().lost_records == 0);
  check_same(documents(server, index), items_of(written, settings));
}

TEST_CASE("VictoriaLogs has everything by OTLP and by Loki's protocol, whatever fails on the way") {
  const Server server("victoria-logs");
  FaultProxy proxy(every_fault(server));
  Written written;
  written.append(1000);
  auto settings = patient(model::OtlpSettings{.url = url_of(proxy, "/insert/opentelemetry")});
  settings.format = model::ItemFormat::kRecord;
  SECTION("OTLP") {}
  SECTION("Loki") {
    settings.receiver = model::LokiSettings{.url = url_of(proxy, "/insert?disable_message_parsing=1")};
    settings.format = model::ItemFormat::kFlattened;
  }
  SECTION("Loki, with gzip") {
    settings.receiver = model::LokiSettings{.url = url_of(proxy, "/insert?disable_message_parsing=1")};
    settings.compression = model::Compression::kGzip;
  }
  stream_through(proxy, written, settings);
  const auto sent = texts_of(items_of(written, settings));
  std::set<std::string> found;
  wait_until([&] { return (found = victoria_messages(server)).size() >= sent.size(); });
  CHECK(found == sent);
}

TEST_CASE("S3 has everything once, whatever fails on the way") {
  const Server server("versitygw");
  FaultProxy proxy(every_fault(server));
  Written written;
  written.append(1000);
  auto settings = patient(model::S3Settings{.endpoint = url_of(proxy),
                                            .bucket = "flows",
                                            .region = "us-east-1",
                                            .prefix = "p",
                                            .access_key = "flowtally",
                                            .secret_key = model::Secret("flowtally1"),
                                            .object_age = std::chrono::milliseconds(5),
                                            .object_bytes = std::uint64_t{1} << 20U});
  stream_through(proxy, written, settings);
  std::multiset<std::string> found;
  const auto bucket = server.directory() / "data" / "flows";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(bucket / "p")) {
    if (!entry.is_regular_file()) continue;
    std::ifstream object(entry.path());
    for (std::string line; std::getline(object, line);) found.insert(line);
  }
  const auto sent = texts_of(items_of(written, settings));
  CHECK(found == std::multiset<std::string>(sent.begin(), sent.end()));
}

TEST_CASE("Kafka has everything, by its ids once, though its broker is killed again and again") {
  Server server("kafka");
  Written written;
  written.append(3000);
  auto settings = quick(
      model::KafkaSettings{.brokers = fmt::format("127.0.0.1:{}", server.port()), .topic = "through-kills"});
  settings.batch.items_max = 500;
  settings.retry.request_timeout = std::chrono::seconds(3);
  const auto stream = stream_of(written, settings);
  for (int kills = 0; kills < 2; ++kills) {
    const std::uint64_t before = stream->status().next;
    wait_until([&] { return stream->status().next > before; }, kLong);
    server.kill();
    written.append(kHourOfWindows);
    wait_until([&] { return stream->status().state == model::SinkState::kRetrying; });
    server.start();
  }
  wait_until([&] { return stream->status().next == written.records() + 1; }, kLong);
  CHECK(stream->status().refused_items == 0);
  Items found;
  const Items sent = items_of(written, settings);
  for (const KafkaMessage& message :
       consume(fmt::format("127.0.0.1:{}", server.port()), "through-kills", sent.size())) {
    const auto [there, added] = found.emplace(message.headers.at("flowtally-id"), message.value);
    CHECK(there->second == message.value);
  }
  CHECK(found == sent);
}

}  // namespace flowtally::test
