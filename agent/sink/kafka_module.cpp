// This file is the way into flowtally_kafka.so.
#include "sink/kafka_module.hpp"

#include <utility>

#include "sink/kafka_config.hpp"
#include "sink/kafka_producer.hpp"

namespace flowtally::sink {
namespace {

void make(const KafkaModuleRequest& request, KafkaModuleAnswer& answer) {
  auto config = kafka_config(*request.settings, request.log_type);
  if (!config) {
    answer.failure = std::move(config.error());
    return;
  }
  answer.receiver = std::make_unique<KafkaProducer>(std::move(*config), request.item_id);
}

}  // namespace
}  // namespace flowtally::sink

extern "C" __attribute__((visibility("default"))) const char* flowtally_kafka_make(
    const char* word, const flowtally::sink::KafkaModuleRequest* request,
    flowtally::sink::KafkaModuleAnswer* answer) {
  static const std::string kOwnWord = flowtally::sink::module_build_word();
  if (kOwnWord != word) return kOwnWord.c_str();
  flowtally::sink::make(*request, *answer);
  return nullptr;
}
