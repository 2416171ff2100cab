// This file reads a topic back.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace flowtally::test {

struct KafkaMessage {
  std::string value{};
  std::string key{};
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t time_ms = 0;
  std::map<std::string, std::string> headers{};
};

/// All that is in the topic from its begin, at least `count` unless the deadline passes; and what comes until
/// its end.
[[nodiscard]] std::vector<KafkaMessage> consume(const std::string& brokers, const std::string& topic,
                                                std::size_t count,
                                                std::chrono::seconds deadline = std::chrono::seconds(30));

}  // namespace flowtally::test
