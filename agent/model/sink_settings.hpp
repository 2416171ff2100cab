// This file is what can be said about one sink, a receiver that records are streamed to: what the
// configuration file, the stream API and the command line all come to. Values, no I/O; the words that people
// write for them are in docs/formats/config.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace flowtally::model {

/// A text that is never shown: logs, answers and `config print` have "***" for it.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  /// Only for what is sent to the receiver.
  [[nodiscard]] const std::string& reveal() const noexcept { return value_; }
  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

/// The two journals, as Tailscale names its log types.
enum class LogType : std::uint8_t { kNetwork, kConfiguration };

/// What one item is that a receiver gets. All but kRecord make one item of each connection.
enum class ItemFormat : std::uint8_t {
  kRecord,     ///< the journal's line as it is
  kFlattened,  ///< one connection with the fields of its record
  kEcs,        ///< Elastic Common Schema
  kOcsf,       ///< OCSF 4001 Network Activity
  kOtel,       ///< OpenTelemetry's semantic conventions
  kCim,        ///< Splunk's Common Information Model
};

enum class Compression : std::uint8_t { kNone, kGzip, kZstd };

/// Where a sink begins that has no cursor yet.
enum class StartAt : std::uint8_t { kOldest, kNewest };

struct TlsSettings {
  bool verify = true;
  std::string ca_file{};    ///< PEM; empty: the system's
  std::string cert_file{};  ///< PEM, of this client
  std::string key_file{};

  friend bool operator==(const TlsSettings&, const TlsSettings&) = default;
};

/// A batch is sent when the first of these is reached. 0: as is good for the kind of receiver.
struct BatchSettings {
  std::uint64_t items_max = 0;
  std::uint64_t bytes_max = 0;  ///< before compression
  std::chrono::milliseconds age_max{200};

  friend bool operator==(const BatchSettings&, const BatchSettings&) = default;
};

/// Between tries: full jitter up to first × 2^n, at most `longest`. What is wrong with the configuration is
/// tried again at `longest` only.
struct RetrySettings {
  std::chrono::milliseconds first{500};
  std::chrono::milliseconds longest{60'000};
  std::chrono::milliseconds request_timeout{30'000};

  friend bool operator==(const RetrySettings&, const RetrySettings&) = default;
};

struct SplunkSettings {
  std::string url{};  ///< https://host:8088; the path is ours unless it ends in /services/collector/event
  Secret token{};
  std::string user{};  ///< not empty: Basic, user and token, as Tailscale sends it
  std::string index{}, source{}, sourcetype{}, host{};
  bool acknowledge = false;  ///< wait for indexer acknowledgement

  friend bool operator==(const SplunkSettings&, const SplunkSettings&) = default;
};

struct ElasticSettings {
  std::string url{};
  std::string user{};
  Secret password{};
  Secret api_key{};     ///< as Elasticsearch gives it, encoded
  std::string index{};  ///< data stream; "{log}" is network or configuration
  bool ids = true;      ///< deterministic _id: what is sent twice is there once
  bool install_template = false;

  friend bool operator==(const ElasticSettings&, const ElasticSettings&) = default;
};

struct KafkaSettings {
  std::string brokers{};              ///< host:port with commas
  std::string topic{};                ///< "{log}" as above
  std::string security{"plaintext"};  ///< plaintext, ssl, sasl_plaintext, sasl_ssl
  std::string mechanism{};            ///< PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
  std::string user{};
  Secret password{};
  std::string client_id{};
  /// librdkafka's own, for what is not here; they cannot undo what exactness needs.
  std::vector<std::pair<std::string, std::string>> properties{};

  friend bool operator==(const KafkaSettings&, const KafkaSettings&) = default;
};

/// Header names and values; a value may be a secret.
using Headers = std::vector<std::pair<std::string, Secret>>;

struct OtlpSettings {
  std::string url{};  ///< http://host:4318; /v1/logs is ours
  Headers headers{};
  bool counters_as_text = false;  ///< for receivers that cut integers to 32 bits

  friend bool operator==(const OtlpSettings&, const OtlpSettings&) = default;
};

struct LokiSettings {
  std::string url{};  ///< /loki/api/v1/push is ours
  std::string tenant{};
  std::string user{};
  Secret password{};
  std::vector<std::pair<std::string, std::string>> labels{};
  Headers headers{};

  friend bool operator==(const LokiSettings&, const LokiSettings&) = default;
};

struct S3Settings {
  std::string endpoint{};  ///< empty: AWS
  std::string bucket{}, region{}, prefix{};
  std::string access_key{};
  Secret secret_key{};
  Secret session_token{};
  bool path_style = true;
  std::chrono::milliseconds object_age{300'000};  ///< an object has the records of so long
  std::uint64_t object_bytes = std::uint64_t{64} << 20U;

  friend bool operator==(const S3Settings&, const S3Settings&) = default;
};

struct SyslogSettings {
  std::string address{};  ///< host:port
  bool tls = false;
  bool octet_counting = true;  ///< RFC 6587; false: a line end behind each
  int facility = 16;           ///< local0
  std::string app_name{"flowtally"};
  std::string host_name{};  ///< empty: this host's
  std::uint64_t message_bytes_max = 8192;

  friend bool operator==(const SyslogSettings&, const SyslogSettings&) = default;
};

struct HttpSettings {
  std::string url{};
  std::string
      profile{};  ///< datadog, axiom, cribl, panther, logstash, vector, fluentbit, victorialogs, clickhouse
  std::string method{"POST"};
  Headers headers{};
  std::string user{};
  Secret password{};  ///< Basic, with `user`
  Secret bearer{};
  enum class Body : std::uint8_t { kNdjson, kArray, kConcatenated } body = Body::kNdjson;
  std::string content_type{};
  std::vector<std::uint16_t> success{};  ///< empty: 2xx

  friend bool operator==(const HttpSettings&, const HttpSettings&) = default;
};

struct FileSettings {
  std::string path{};
  std::uint64_t rotate_bytes = std::uint64_t{256} << 20U;
  std::uint32_t rotate_files = 8;  ///< kept beside the one that is written

  friend bool operator==(const FileSettings&, const FileSettings&) = default;
};

using ReceiverSettings = std::variant<SplunkSettings, ElasticSettings, KafkaSettings, OtlpSettings,
                                      LokiSettings, S3Settings, SyslogSettings, HttpSettings, FileSettings>;

struct SinkSettings {
  std::string name{};  ///< as cursors are named: letters, digits, - and _
  bool enabled = true;
  std::vector<LogType> logs{LogType::kNetwork};
  std::string filter{};  ///< of the query language, for network logs
  ItemFormat format = ItemFormat::kRecord;
  Compression compression = Compression::kNone;
  StartAt start = StartAt::kOldest;
  BatchSettings batch{};
  RetrySettings retry{};
  TlsSettings tls{};
  ReceiverSettings receiver{};

  friend bool operator==(const SinkSettings&, const SinkSettings&) = default;
};

/// "splunk", "elastic", "kafka", "otlp", "loki", "s3", "syslog", "http", "file".
[[nodiscard]] std::string_view kind_of(const ReceiverSettings& receiver) noexcept;
[[nodiscard]] std::string_view log_type_name(LogType type) noexcept;

}  // namespace flowtally::model
