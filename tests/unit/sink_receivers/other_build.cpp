// A Kafka module of another build: it says so, and touches nothing.
extern "C" __attribute__((visibility("default"))) const char* flowtally_kafka_make(const char* /*word*/,
                                                                                   const void* /*request*/,
                                                                                   void* /*answer*/) {
  return "flowtally 0.0.0";
}
