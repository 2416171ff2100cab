// Goal: what the Kafka module calls delivered is in the topic, in order, with key and headers; and each
// failure is told for what it is.
//
// Method: librdkafka's own cluster for tests, which speaks the protocol on loopback and fails as it is told.
#include "sink/kafka_receiver.hpp"

#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"
#include "unit/sink_receivers/batches.hpp"

namespace flowtally::sink {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::batch_of;

constexpr const char* kTopic = "flows.network";
constexpr std::int16_t kProduce = 0;

const std::vector<std::string> kModules = {FLOWTALLY_TEST_MODULES};

struct Handle {
  void operator()(rd_kafka_t* handle) const { ::rd_kafka_destroy(handle); }
};

/// Brokers of librdkafka's, which live in a producer that does nothing else.
class Cluster {
 public:
  explicit Cluster(int partitions = 1) {
    std::array<char, 256> why{};
    rd_kafka_conf_t* const conf = ::rd_kafka_conf_new();
    ::rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
    host_.reset(::rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size()));
    REQUIRE(host_);
    cluster_ = ::rd_kafka_mock_cluster_new(host_.get(), 1);
    REQUIRE(cluster_ != nullptr);
    REQUIRE(::rd_kafka_mock_topic_create(cluster_, kTopic, partitions, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;
  ~Cluster() { ::rd_kafka_mock_cluster_destroy(cluster_); }

  [[nodiscard]] std::string brokers() const { return ::rd_kafka_mock_cluster_bootstraps(cluster_); }
  void fail(std::int16_t request, std::initializer_list<rd_kafka_resp_err_t> errors) {
    for (const rd_kafka_resp_err_t error : errors)
      ::rd_kafka_mock_push_request_errors(cluster_, request, 1,
                                          error);  // NOLINT(cppcoreguidelines-pro-type-vararg)
  }
  void fail_topic(rd_kafka_resp_err_t error) { ::rd_kafka_mock_topic_set_error(cluster_, kTopic, error); }
  void broker_down() { ::rd_kafka_mock_broker_set_down(cluster_, 1); }
  void broker_up() { ::rd_kafka_mock_broker_set_up(cluster_, 1); }

 private:
  std::unique_ptr<rd_kafka_t, Handle> host_;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

struct Message {
  std::string value{};
  std::string key{};
  std::int64_t time_ms = 0;
  std::map<std::string, std::string> headers{};
};

/// The first `count` messages of the topic.
std::vector<Message> consume(const std::string& brokers, std::size_t count) {
  std::array<char, 256> why{};
  rd_kafka_conf_t* const conf = ::rd_kafka_conf_new();
  ::rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), why.data(), why.size());
  ::rd_kafka_conf_set(conf, "group.id", "test", why.data(), why.size());
  ::rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", why.data(), why.size());
  const std::unique_ptr<rd_kafka_t, Handle> consumer(
      ::rd_kafka_new(RD_KAFKA_CONSUMER, conf, why.data(), why.size()));
  REQUIRE(consumer);
  rd_kafka_topic_partition_list_t* const topics = ::rd_kafka_topic_partition_list_new(1);
  ::rd_kafka_topic_partition_list_add(topics, kTopic, 0)->offset = 0;
  ::rd_kafka_assign(consumer.get(), topics);
  ::rd_kafka_topic_partition_list_destroy(topics);
  std::vector<Message> messages;
  const auto end = steady_clock::now() + std::chrono::seconds(20);
  while (messages.size() < count && steady_clock::now() < end) {
    rd_kafka_message_t* const got = ::rd_kafka_consumer_poll(consumer.get(), 100);
    if (got == nullptr) continue;
    if (got->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      Message message{.value = {static_cast<const char*>(got->payload), got->len},
                      .key = {static_cast<const char*>(got->key), got->key_len},
                      .time_ms = ::rd_kafka_message_timestamp(got, nullptr)};
      rd_kafka_headers_t* headers = nullptr;
      if (::rd_kafka_message_headers(got, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* name = nullptr;
        const void* value = nullptr;
        std::size_t size = 0;
        for (std::size_t at = 0;
             ::rd_kafka_header_get_all(headers, at, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++at)
          message.headers[name] = std::string(static_cast<const char*>(value), size);
      }
      messages.push_back(std::move(message));
    }
    ::rd_kafka_message_destroy(got);
  }
  ::rd_kafka_consumer_close(consumer.get());
  return messages;
}

model::SinkSettings settings(const std::string& brokers, milliseconds timeout = milliseconds(20'000)) {
  model::SinkSettings made{.name = "kafka", .compression = model::Compression::kZstd};
  made.retry.request_timeout = timeout;
  made.receiver = model::KafkaSettings{.brokers = brokers, .topic = "flows.{log}"};
  return made;
}

std::unique_ptr<Receiver> receiver(const model::SinkSettings& settings) {
  auto made = make_kafka_receiver(settings, model::LogType::kNetwork, kModules);
  if (!made) FAIL(made.error().text());
  return std::move(*made);
}

Outcome send(Receiver& to, const Batch& batch) { return to.send(batch, 0, batch.items.size(), {}); }

}  // namespace

TEST_CASE("items are messages: in order, with the node as key and what is known of them in headers") {
  const Cluster cluster;
  const auto to = receiver(settings(cluster.brokers()));
  const auto texts = test::record_texts(2000);
  const Batch batch = batch_of(texts);
  const Outcome outcome = send(*to, batch);
  INFO(outcome.reason);
  CHECK(outcome.verdict == Verdict::kDelivered);
  CHECK(outcome.bytes == batch.text.size());
  const auto messages = consume(cluster.brokers(), texts.size());
  REQUIRE(messages.size() == texts.size());
  std::set<std::string> ids;
  for (std::size_t at = 0; at < texts.size(); ++at) {
    CHECK(messages[at].value == texts[at]);
    CHECK(messages[at].key == "nLab01CNTRL");
    CHECK(messages[at].time_ms == batch.items[at].time_ns / 1'000'000);
    CHECK(messages[at].headers.at("content-type") == "application/json");
    CHECK(messages[at].headers.at("flowtally-schema") == "1");
    ids.insert(messages[at].headers.at("flowtally-id"));
  }
  CHECK(ids.size() == texts.size());
  CHECK(ids.contains(item_id(batch, batch.items[7])));
}

TEST_CASE("what the broker fails once, librdkafka sends again, and it is there once") {
  Cluster cluster;
  const auto to = receiver(settings(cluster.brokers()));
  cluster.fail(kProduce, {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR__TRANSPORT,
                          RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION});
  CHECK(send(*to, batch_of(test::record_texts(5))).verdict == Verdict::kDelivered);
  CHECK(send(*to, batch_of(test::record_texts(1, 5))).verdict == Verdict::kDelivered);
  const auto messages = consume(cluster.brokers(), 6);
  REQUIRE(messages.size() == 6);
  for (std::size_t at = 0; at < 6; ++at) CHECK(messages[at].value == test::record_text(at));
}

TEST_CASE("a broker that is gone is tried again, and the batch comes when it is back") {
  Cluster cluster;
  const auto to = receiver(settings(cluster.brokers(), milliseconds(1500)));
  CHECK(send(*to, batch_of(test::record_texts(1))).verdict == Verdict::kDelivered);
  cluster.broker_down();
  const auto start = steady_clock::now();
  const Outcome outcome = send(*to, batch_of(test::record_texts(3, 1)));
  CHECK(outcome.verdict == Verdict::kRetry);
  CHECK_FALSE(outcome.reason.empty());
  CHECK(steady_clock::now() - start < std::chrono::seconds(5));
  cluster.broker_up();
  Outcome later;
  const auto end = steady_clock::now() + std::chrono::seconds(30);
  while (later.verdict != Verdict::kDelivered && steady_clock::now() < end)
    later = send(*to, batch_of(test::record_texts(3, 1)));
  CHECK(later.verdict == Verdict::kDelivered);
}

TEST_CASE("what a right or a topic stands against is the configuration's fault") {
  Cluster cluster;
  const auto error =
      GENERATE(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
  cluster.fail(kProduce, {error, error, error});
  const auto to = receiver(settings(cluster.brokers(), milliseconds(5000)));
  const Outcome outcome = send(*to, batch_of(test::record_texts(2)));
  CHECK(outcome.verdict == Verdict::kMisconfigured);
  CHECK(outcome.reason.find("AUTHORIZATION") != std::string::npos);
}

TEST_CASE("a batch that the broker finds too large is halved, one item is refused") {
  Cluster cluster;
  const auto to = receiver(settings(cluster.brokers()));
  cluster.fail(kProduce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  CHECK(send(*to, batch_of(test::record_texts(4))).verdict == Verdict::kTooLarge);
  cluster.fail(kProduce, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  const Outcome one = send(*to, batch_of(test::record_texts(1)));
  REQUIRE(one.items.size() == 1);
  CHECK(one.items[0] == Verdict::kRefused);
  CHECK_FALSE(one.reasons.at(0).empty());
}

TEST_CASE("an item that is too large for librdkafka is refused, the others arrive") {
  const Cluster cluster;
  const auto to = receiver(settings(cluster.brokers()));
  CHECK(to->traits().item_bytes_max < 1'000'000);
  const auto texts = test::record_texts(2);
  const Outcome outcome = send(*to, batch_of({texts[0], std::string(2'000'000, 'x'), texts[1]}));
  REQUIRE(outcome.items.size() == 3);
  CHECK(outcome.items == std::vector{Verdict::kDelivered, Verdict::kRefused, Verdict::kDelivered});
  CHECK(consume(cluster.brokers(), 2).size() == 2);
}

TEST_CASE("a producer that failed for good is replaced") {
  Cluster cluster;
  const auto to = receiver(settings(cluster.brokers(), milliseconds(10'000)));
  CHECK(send(*to, batch_of(test::record_texts(1))).verdict == Verdict::kDelivered);
  cluster.fail(kProduce, {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
  Outcome outcome;
  for (int tries = 0; tries < 5 && outcome.verdict != Verdict::kDelivered; ++tries)
    outcome = send(*to, batch_of(test::record_texts(2, 1)));
  INFO(outcome.reason);
  CHECK(outcome.verdict == Verdict::kDelivered);
}

TEST_CASE("more than librdkafka queues is waited for") {
  const Cluster cluster;
  auto small = settings(cluster.brokers());
  std::get<model::KafkaSettings>(small.receiver).properties = {{"queue.buffering.max.messages", "50"}};
  const auto to = receiver(small);
  const Outcome outcome = send(*to, batch_of(test::record_texts(500)));
  INFO(outcome.reason);
  CHECK(outcome.verdict == Verdict::kDelivered);
  CHECK(consume(cluster.brokers(), 500).size() == 500);
}

TEST_CASE("a stop ends the waiting for a broker") {
  model::SinkSettings nobody = settings("127.0.0.1:1");
  const auto to = receiver(nobody);
  std::stop_source stop;
  const std::jthread stopper([&stop] {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable never;
    never.wait_for(lock, milliseconds(200), [] { return false; });
    stop.request_stop();
  });
  const auto start = steady_clock::now();
  const Batch batch = batch_of(test::record_texts(1));
  const Outcome outcome = to->send(batch, 0, 1, stop.get_token());
  CHECK(outcome.verdict != Verdict::kDelivered);
  CHECK(steady_clock::now() - start < std::chrono::seconds(2));
}

TEST_CASE("settings that librdkafka or exactness cannot have are refused") {
  struct Wrong {
    model::KafkaSettings kafka;
    const char* text;
  };
  const auto wrong = GENERATE(
      Wrong{{.brokers = "", .topic = "t"}, "brokers"}, Wrong{{.brokers = "b:1", .topic = ""}, "topic"},
      Wrong{{.brokers = "b:1", .topic = "a b"}, "topic"},
      Wrong{{.brokers = "b:1", .topic = "t", .security = "tls"}, "security"},
      Wrong{{.brokers = "b:1", .topic = "t", .security = "sasl_ssl"}, "mechanism"},
      Wrong{{.brokers = "b:1", .topic = "t", .properties = {{"acks", "0"}}}, "acks"},
      Wrong{{.brokers = "b:1", .topic = "t", .properties = {{"plugin.library.paths", "/tmp/x.so"}}},
            "plugin"},
      Wrong{{.brokers = "b:1", .topic = "t", .properties = {{"sasl.kerberos.kinit.cmd", "rm"}}}, "kinit"},
      Wrong{{.brokers = "b:1", .topic = "t", .properties = {{"no.such.thing", "1"}}}, "no.such.thing"});
  auto made = settings("");
  made.receiver = wrong.kafka;
  const auto refused = make_kafka_receiver(made, model::LogType::kNetwork, kModules);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == base::ErrorCode::kInvalidArgument);
  CHECK(refused.error().text().find(wrong.text) != std::string::npos);
}

TEST_CASE("without the module a sink of this kind cannot be, and the sentence says what is missing where") {
  const test::TempDir empty;
  const auto made = make_kafka_receiver(settings("b:1"), model::LogType::kNetwork, {empty.path, "/nowhere"});
  REQUIRE_FALSE(made);
  CHECK(made.error().code() == base::ErrorCode::kUnsupported);
  CHECK(made.error().text().find("flowtally_kafka.so, which is not in " + empty.path.string() +
                                 " or /nowhere") != std::string::npos);
}

TEST_CASE("a file that is no module, or another one, is refused") {
  const test::TempDir folder;
  const auto module = folder.path / "flowtally_kafka.so";
  std::filesystem::copy_file("/proc/self/exe", module);
  const auto program = make_kafka_receiver(settings("b:1"), model::LogType::kNetwork, {folder.path});
  REQUIRE_FALSE(program);
  CHECK(program.error().code() == base::ErrorCode::kUnsupported);
  std::filesystem::remove(module);
  std::filesystem::copy_file(std::filesystem::path(kModules[0]) / "flowtally_other_build.so", module);
  const auto other = make_kafka_receiver(settings("b:1"), model::LogType::kNetwork, {folder.path});
  REQUIRE_FALSE(other);
  CHECK(other.error().code() == base::ErrorCode::kUnsupported);
  CHECK(other.error().text().find("of another build") != std::string::npos);
}

}  // namespace flowtally::sink
