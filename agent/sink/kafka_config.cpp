#include "sink/kafka_config.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "sink/log_name.hpp"

namespace flowtally::sink {
namespace {

using Refusal = std::unexpected<std::string>;

/// What exactness needs, and what would let settings run programs or load code.
constexpr std::array<std::string_view, 16> kNotForSettings = {"acks",
                                                              "request.required.acks",
                                                              "enable.idempotence",
                                                              "enable.gapless.guarantee",
                                                              "message.timeout.ms",
                                                              "delivery.timeout.ms",
                                                              "message.send.max.retries",
                                                              "retries",
                                                              "max.in.flight",
                                                              "max.in.flight.requests.per.connection",
                                                              "transactional.id",
                                                              "delivery.report.only.error",
                                                              "plugin.library.paths",
                                                              "ssl.engine.location",
                                                              "sasl.kerberos.kinit.cmd",
                                                              "log.queue"};
constexpr std::array<std::string_view, 4> kSecurity = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"};
constexpr std::size_t kTopicBytesMax = 249;  // Kafka's own limit
/// A broker takes messages of 1,048,588 bytes unless it is told otherwise; around the value are key, headers
/// and the batch.
constexpr std::uint64_t kMessageBytes = 1'000'000;
constexpr std::uint64_t kAroundValueBytes = 4096;

bool good_topic(std::string_view topic) {
  return !topic.empty() && topic.size() <= kTopicBytesMax && topic != "." && topic != ".." &&
         std::ranges::all_of(topic, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                  c == '_' || c == '-';
         });
}

/// Sets values until one is refused.
class Setter {
 public:
  explicit Setter(rd_kafka_conf_t* conf) : conf_(conf) {}

  void set(const std::string& name, const std::string& value) {
    if (!failure_.empty()) return;
    std::array<char, 256> why{};
    if (::rd_kafka_conf_set(conf_, name.c_str(), value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK)
      failure_ = why.data();
  }
  void set_if(const std::string& name, const std::string& value) {
    if (!value.empty()) set(name, value);
  }
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

 private:
  rd_kafka_conf_t* conf_;
  std::string failure_{};
};

std::string compression_name(model::Compression compression) {
  switch (compression) {
    case model::Compression::kGzip: return "gzip";
    case model::Compression::kZstd: return "zstd";
    case model::Compression::kNone: break;
  }
  return "none";
}

void set_security(Setter& setter, const model::KafkaSettings& kafka, const model::TlsSettings& tls) {
  setter.set("security.protocol", kafka.security);
  setter.set_if("sasl.mechanism", kafka.mechanism);
  setter.set_if("sasl.username", kafka.user);
  setter.set_if("sasl.password", kafka.password.reveal());
  setter.set_if("ssl.ca.location", tls.ca_file);
  setter.set_if("ssl.certificate.location", tls.cert_file);
  setter.set_if("ssl.key.location", tls.key_file);
  if (!tls.verify) setter.set("enable.ssl.certificate.verification", "false");
}

/// What the settings cannot change comes last.
void set_all(Setter& setter, const model::SinkSettings& settings, const model::KafkaSettings& kafka) {
  setter.set("bootstrap.servers", kafka.brokers);
  setter.set("client.id", kafka.client_id.empty() ? "flowtally" : kafka.client_id);
  setter.set("compression.type", compression_name(settings.compression));
  setter.set("partitioner", "murmur2_random");  // as Java's clients place keys
  setter.set("message.max.bytes", fmt::format("{}", kMessageBytes));
  // All of a batch is there before the first answer is waited for; more would wait in vain.
  setter.set("linger.ms", "5");
  setter.set("queue.buffering.max.kbytes", "65536");
  setter.set("topic.metadata.propagation.max.ms", "10000");
  setter.set("reconnect.backoff.max.ms", "5000");
  set_security(setter, kafka, settings.tls);
  for (const auto& [name, value] : kafka.properties) setter.set(name, value);
  setter.set("enable.idempotence", "true");  // with it: acks=all, order, no repeats within one producer
  setter.set("message.timeout.ms", "0");     // send() has the deadline
}

std::uint64_t message_bytes_of(const rd_kafka_conf_t* conf) {
  std::array<char, 32> text{};
  std::size_t size = text.size();
  std::uint64_t bytes = kMessageBytes;
  if (::rd_kafka_conf_get(conf, "message.max.bytes", text.data(), &size) == RD_KAFKA_CONF_OK && size > 0)
    std::from_chars(text.data(), text.data() + size - 1, bytes);
  return bytes;
}

}  // namespace

std::expected<KafkaConfig, std::string> kafka_config(const model::SinkSettings& settings,
                                                     model::LogType log_type) {
  const auto& kafka = std::get<model::KafkaSettings>(settings.receiver);
  if (kafka.brokers.empty()) return Refusal("brokers: at least one host:port is needed");
  std::string topic = with_log_name(kafka.topic, log_type);
  if (!good_topic(topic))
    return Refusal(fmt::format("topic: \"{}\" is not 1 to {} of a-z A-Z 0-9 . _ -", topic, kTopicBytesMax));
  if (std::ranges::find(kSecurity, kafka.security) == kSecurity.end())
    return Refusal(fmt::format("security: \"{}\" is none of {}", kafka.security, fmt::join(kSecurity, ", ")));
  if (kafka.security.starts_with("sasl") && kafka.mechanism.empty())
    return Refusal(fmt::format("mechanism: {} needs one", kafka.security));
  for (const auto& [name, value] : kafka.properties) {
    if (std::ranges::find(kNotForSettings, name) != kNotForSettings.end())
      return Refusal(fmt::format("properties: {} is not for settings to change", name));
  }

  KafkaConfig config{.conf = KafkaConf(::rd_kafka_conf_new()),
                     .topic = std::move(topic),
                     .timeout = settings.retry.request_timeout};
  Setter setter(config.conf.get());
  set_all(setter, settings, kafka);
  if (!setter.failure().empty()) return Refusal(setter.failure());
  const std::uint64_t message_bytes = message_bytes_of(config.conf.get());
  config.message_bytes_max = std::max(message_bytes, 2 * kAroundValueBytes) - kAroundValueBytes;
  return config;
}

}  // namespace flowtally::sink
