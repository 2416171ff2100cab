// This file takes the place of kafka_receiver.cpp where Kafka is part of the program
// (FLOWTALLY_KAFKA=builtin): the module's function is linked in, and there is nothing to look for.
#include <utility>

#include "sink/kafka_module.hpp"
#include "sink/kafka_receiver.hpp"

extern "C" flowtally::sink::KafkaModuleMake flowtally_kafka_make;

namespace flowtally::sink {

std::vector<std::string> module_directories() { return {}; }

base::Result<std::unique_ptr<Receiver>> make_kafka_receiver(const model::SinkSettings& settings,
                                                            model::LogType log_type,
                                                            const std::vector<std::string>& /*directories*/) {
  const KafkaModuleRequest request{.settings = &settings, .log_type = log_type, .item_id = &item_id};
  KafkaModuleAnswer answer;
  static_cast<void>(
      flowtally_kafka_make(module_build_word().c_str(), &request, &answer));  // of this very build
  if (!answer.receiver) return base::fail(base::Error(answer.code, std::move(answer.failure)));
  return std::move(answer.receiver);
}

}  // namespace flowtally::sink
