// A Kafka module of another build: it says so, and touches nothing.
#include "sink/kafka_module.hpp"

extern "C" __attribute__((visibility("default"))) const char* flowtally_kafka_make(
    const char* /*word*/, const flowtally::sink::KafkaModuleRequest* /*request*/,
    flowtally::sink::KafkaModuleAnswer* /*answer*/) {
  return "flowtally 0.0.0";
}
