// This file turns a sink's settings into librdkafka's configuration. Part of the Kafka module: what it uses
// of the agent is in headers only.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include <librdkafka/rdkafka.h>

#include "model/sink_settings.hpp"

namespace flowtally::sink {

struct KafkaConfDeleter {
  void operator()(rd_kafka_conf_t* conf) const noexcept { ::rd_kafka_conf_destroy(conf); }
};
using KafkaConf = std::unique_ptr<rd_kafka_conf_t, KafkaConfDeleter>;

struct KafkaConfig {
  KafkaConf conf{};
  std::string topic{};
  std::chrono::milliseconds timeout{};
  std::uint64_t message_bytes_max = 0;
};

/// The error is a sentence about the settings.
[[nodiscard]] std::expected<KafkaConfig, std::string> kafka_config(const model::SinkSettings& settings,
                                                                   model::LogType log_type);

}  // namespace flowtally::sink
