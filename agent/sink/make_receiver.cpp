#include <variant>

#include "sink/elastic_receiver.hpp"
#include "sink/file_receiver.hpp"
#include "sink/http_receiver.hpp"
#include "sink/kafka_receiver.hpp"
#include "sink/loki_receiver.hpp"
#include "sink/otlp_receiver.hpp"
#include "sink/receiver.hpp"
#include "sink/s3_receiver.hpp"
#include "sink/splunk_receiver.hpp"
#include "sink/syslog_receiver.hpp"

namespace flowtally::sink {
namespace {

using model::LogType;
using model::SinkSettings;
using Made = base::Result<std::unique_ptr<Receiver>>;

struct Maker {
  const SinkSettings& settings;
  LogType log_type;

  Made operator()(const model::SplunkSettings&) const { return make_splunk_receiver(settings, log_type); }
  Made operator()(const model::ElasticSettings&) const { return make_elastic_receiver(settings, log_type); }
  Made operator()(const model::KafkaSettings&) const { return make_kafka_receiver(settings, log_type); }
  Made operator()(const model::OtlpSettings&) const { return make_otlp_receiver(settings, log_type); }
  Made operator()(const model::LokiSettings&) const { return make_loki_receiver(settings, log_type); }
  Made operator()(const model::S3Settings&) const { return make_s3_receiver(settings, log_type); }
  Made operator()(const model::SyslogSettings&) const { return make_syslog_receiver(settings, log_type); }
  Made operator()(const model::HttpSettings&) const { return make_http_receiver(settings, log_type); }
  Made operator()(const model::FileSettings&) const { return make_file_receiver(settings, log_type); }
};

}  // namespace

Made make_receiver(const SinkSettings& settings, LogType log_type) {
  return std::visit(Maker{settings, log_type}, settings.receiver);
}

}  // namespace flowtally::sink
