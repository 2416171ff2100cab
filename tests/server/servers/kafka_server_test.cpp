// Goal: what is streamed to a real Kafka is in the topic: all of it, once, unchanged, in order.
#include <algorithm>
#include <chrono>
#include <set>

#include <fmt/format.h>

#include "server/servers/delivery.hpp"
#include "server/servers/kafka_consumer.hpp"
#include "server/servers/server.hpp"
#include "sink/receiver.hpp"
#include "support/catch.hpp"
#include "unit/sink_receivers/batches.hpp"

namespace flowtally::test {
namespace {

model::SinkSettings to_topic(const Server& server, const std::string& topic) {
  model::SinkSettings settings{.name = "kafka", .compression = model::Compression::kZstd};
  settings.receiver =
      model::KafkaSettings{.brokers = fmt::format("127.0.0.1:{}", server.port()), .topic = topic};
  return settings;
}

}  // namespace

TEST_CASE("Kafka has every record once, in the order of the journal, with the node as its key") {
  Server server("kafka");
  const std::string brokers = fmt::format("127.0.0.1:{}", server.port());
  const auto texts = record_texts(20'000);
  for (const auto compression :
       {model::Compression::kNone, model::Compression::kGzip, model::Compression::kZstd}) {
    auto settings = to_topic(server, fmt::format("flows-{}", static_cast<int>(compression)));
    settings.compression = compression;
    deliver(settings, texts, 5000);
    const auto messages =
        consume(brokers, std::get<model::KafkaSettings>(settings.receiver).topic, texts.size());
    REQUIRE(messages.size() == texts.size());
    std::set<std::string> ids;
    std::size_t different = 0;
    for (std::size_t at = 0; at < texts.size(); ++at) {
      different += messages[at].value != texts[at] || messages[at].key != "nLab01CNTRL" ? 1U : 0U;
      ids.insert(messages[at].headers.at("flowtally-id"));
    }
    CHECK(different == 0);
    CHECK(ids.size() == texts.size());
  }

  // A broker that dies and comes back: everything is there, and by its ids once.
  auto settings = to_topic(server, "flows-restart");
  settings.retry.request_timeout = std::chrono::milliseconds(3000);
  auto receiver = sink::make_receiver(settings, model::LogType::kNetwork);
  REQUIRE(receiver);
  std::size_t delivered = 0;
  const auto send = [&] {
    const std::size_t count = 1000;
    const sink::Batch batch = batch_of(record_texts(count, delivered), delivered + 1);
    const sink::Outcome outcome = (*receiver)->send(batch, 0, count, {});
    if (outcome.verdict == sink::Verdict::kDelivered) delivered += count;
    return outcome.verdict;
  };
  while (delivered < 3000) CHECK(send() != sink::Verdict::kMisconfigured);
  server.kill();
  CHECK(send() == sink::Verdict::kRetry);
  server.start();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (delivered < 6000 && std::chrono::steady_clock::now() < end) static_cast<void>(send());
  CHECK(delivered == 6000);
  std::set<std::string> values;
  for (const KafkaMessage& message : consume(brokers, "flows-restart", 6000)) values.insert(message.value);
  CHECK(values.size() == 6000);
}

}  // namespace flowtally::test
