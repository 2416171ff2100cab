#include "server/servers/kafka_consumer.hpp"

#include <array>
#include <memory>

#include <librdkafka/rdkafka.h>

#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using std::chrono::steady_clock;

struct Handle {
  void operator()(rd_kafka_t* handle) const { ::rd_kafka_destroy(handle); }
};

KafkaMessage copy_of(const rd_kafka_message_t& got) {
  KafkaMessage message{.value = {static_cast<const char*>(got.payload), got.len},
                       .key = {static_cast<const char*>(got.key), got.key_len},
                       .partition = got.partition,
                       .offset = got.offset,
                       .time_ms = ::rd_kafka_message_timestamp(&got, nullptr)};
  rd_kafka_headers_t* headers = nullptr;
  if (::rd_kafka_message_headers(&got, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return message;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t at = 0;
       ::rd_kafka_header_get_all(headers, at, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++at)
    message.headers[name] = std::string(static_cast<const char*>(value), size);
  return message;
}

}  // namespace

std::vector<KafkaMessage> consume(const std::string& brokers, const std::string& topic, std::size_t count,
                                  std::chrono::seconds deadline) {
  std::array<char, 256> why{};
  rd_kafka_conf_t* const conf = ::rd_kafka_conf_new();
  for (const auto& [name, value] : std::map<std::string, std::string>{{"bootstrap.servers", brokers},
                                                                      {"group.id", "reader"},
                                                                      {"auto.offset.reset", "earliest"},
                                                                      {"enable.auto.commit", "false"},
                                                                      {"enable.partition.eof", "true"}})
    REQUIRE(::rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) ==
            RD_KAFKA_CONF_OK);
  ::rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
  const std::unique_ptr<rd_kafka_t, Handle> consumer(
      ::rd_kafka_new(RD_KAFKA_CONSUMER, conf, why.data(), why.size()));
  REQUIRE(consumer);

  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_topic_t* const handle = ::rd_kafka_topic_new(consumer.get(), topic.c_str(), nullptr);
  constexpr int kMetadataMs = 10'000;
  REQUIRE(::rd_kafka_metadata(consumer.get(), 0, handle, &metadata, kMetadataMs) ==
          RD_KAFKA_RESP_ERR_NO_ERROR);
  REQUIRE(metadata->topic_cnt == 1);
  const std::int32_t partitions = metadata->topics[0].partition_cnt;
  ::rd_kafka_metadata_destroy(metadata);
  ::rd_kafka_topic_destroy(handle);

  rd_kafka_topic_partition_list_t* const all = ::rd_kafka_topic_partition_list_new(partitions);
  for (std::int32_t partition = 0; partition < partitions; ++partition)
    ::rd_kafka_topic_partition_list_add(all, topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
  ::rd_kafka_assign(consumer.get(), all);
  ::rd_kafka_topic_partition_list_destroy(all);

  std::vector<KafkaMessage> messages;
  std::map<std::int32_t, bool> ended;
  const auto end = steady_clock::now() + deadline;
  const auto at_end = [&] { return ended.size() == static_cast<std::size_t>(partitions); };
  while ((messages.size() < count || !at_end()) && steady_clock::now() < end) {
    constexpr int kPollMs = 100;
    rd_kafka_message_t* const got = ::rd_kafka_consumer_poll(consumer.get(), kPollMs);
    if (got == nullptr) continue;
    if (got->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) ended[got->partition] = true;
    if (got->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ended.erase(got->partition);
      messages.push_back(copy_of(*got));
    }
    ::rd_kafka_message_destroy(got);
  }
  ::rd_kafka_consumer_close(consumer.get());
  return messages;
}

}  // namespace flowtally::test
