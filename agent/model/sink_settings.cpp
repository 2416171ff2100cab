#include "model/sink_settings.hpp"

#include <array>

namespace flowtally::model {

std::string_view kind_of(const ReceiverSettings& receiver) noexcept {
  constexpr std::array<std::string_view, std::variant_size_v<ReceiverSettings>> kNames = {
      "splunk", "elastic", "kafka", "otlp", "loki", "s3", "syslog", "http", "file"};
  return kNames[receiver.index()];
}

std::string_view log_type_name(LogType type) noexcept {
  return type == LogType::kNetwork ? "network" : "configuration";
}

}  // namespace flowtally::model
