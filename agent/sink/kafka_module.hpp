// This file is what the agent and its Kafka module say to each other: one C function. C++ values cross it, so
// both have to be made of the same sources by the same compiler; a word that both were built with is compared
// before anything else is touched.
#pragma once

#include <memory>
#include <string>

#include <fmt/format.h>

#include "base/error.hpp"
#include "model/sink_settings.hpp"
#include "sink/batch.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

inline constexpr const char* kKafkaModuleFile = "flowtally_kafka.so";
inline constexpr const char* kKafkaModuleFunction = "flowtally_kafka_make";

/// The word: what would make the two disagree about the values. The sizes catch a change of a header without
/// a change of the version.
[[nodiscard]] inline std::string module_build_word() {
  return fmt::format("flowtally {} {} {} {} {} {}", FLOWTALLY_VERSION, __VERSION__,
                     sizeof(model::SinkSettings), sizeof(Batch), sizeof(Item), sizeof(Outcome));
}

struct KafkaModuleRequest {
  const model::SinkSettings* settings = nullptr;
  model::LogType log_type = model::LogType::kNetwork;
  std::string (*item_id)(const Batch& batch, const Item& item) = nullptr;  ///< the agent's
};

struct KafkaModuleAnswer {
  std::unique_ptr<Receiver> receiver{};  ///< empty: `failure` says why
  base::ErrorCode code = base::ErrorCode::kInvalidArgument;
  std::string failure{};
};

/// Null when it answered, else the word of the module: then request and answer were not looked at.
using KafkaModuleMake = const char*(const char* word, const KafkaModuleRequest* request,
                                    KafkaModuleAnswer* answer);

}  // namespace flowtally::sink
