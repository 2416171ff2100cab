#include "config/receiver_keys.hpp"

#include <array>

#include "config/access.hpp"

namespace flowtally::config {
namespace {

using Keys = std::vector<Key<model::SinkSettings>>;

constexpr std::uint64_t kSecondMs = 1000;
constexpr std::uint64_t kDayMs = 86'400'000;
constexpr std::uint64_t kKilo = std::uint64_t{1} << 10U;
constexpr std::uint64_t kMega = std::uint64_t{1} << 20U;
constexpr std::uint64_t kObjectBytesMax = 256 * kMega;
constexpr std::uint64_t kMessageBytesMin = 480;  // RFC 5424: what every receiver takes
constexpr std::uint64_t kRotateFilesMax = 1000;

constexpr auto kSecurities =
    std::to_array<std::string_view>({"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"});
constexpr auto kMechanisms = std::to_array<std::string_view>({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"});
constexpr auto kFacilities = std::to_array<std::string_view>(
    {"kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
     "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
     "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"});
constexpr auto kProfiles =
    std::to_array<std::string_view>({"datadog", "axiom", "cribl", "panther", "logstash", "vector",
                                     "fluentbit", "victorialogs", "clickhouse"});
constexpr auto kMethods = std::to_array<std::string_view>({"POST", "PUT"});

Keys splunk_keys() {
  using R = model::SplunkSettings;
  return {
      of_kind<&R::url>(
          {.path = "url",
           .type = ValueType::kUrl,
           .about = "https://HOST:8088 of the HTTP Event Collector; its path may stand behind it",
           .required = true}),
      of_kind<&R::token>(
          {.path = "token", .type = ValueType::kSecret, .about = "Token of the collector", .required = true}),
      of_kind<&R::user>({.path = "user",
                         .about = "With it, user and token are sent as Basic, as Tailscale "
                                  "does it"}),
      of_kind<&R::index>({.path = "index", .about = "Index; without it as the token says"}),
      of_kind<&R::source>({.path = "source", .about = "Splunk's source"}),
      of_kind<&R::sourcetype>({.path = "sourcetype", .about = "Splunk's sourcetype"}),
      of_kind<&R::host>({.path = "host", .about = "Splunk's host; without it this node's name"}),
      of_kind<&R::acknowledge>({.path = "acknowledge",
                                .type = ValueType::kFlag,
                                .about = "Wait until the indexers have acknowledged; the token must have it "
                                         "switched on"}),
  };
}

Keys elastic_keys() {
  using R = model::ElasticSettings;
  return {
      of_kind<&R::url>({.path = "url",
                        .type = ValueType::kUrl,
                        .about = "https://HOST:9200 of Elasticsearch or OpenSearch",
                        .required = true}),
      of_kind<&R::user>({.path = "user", .about = "User for Basic, with password"}),
      of_kind<&R::password>(
          {.path = "password", .type = ValueType::kSecret, .about = "Password of that user"}),
      of_kind<&R::api_key>({.path = "api_key",
                            .type = ValueType::kSecret,
                            .about = "As Elasticsearch gives it, encoded; instead of user and password"}),
      of_kind<&R::index>({.path = "index", .about = "Data stream; {log} in it is network or configuration"}),
      of_kind<&R::ids>({.path = "ids",
                        .type = ValueType::kFlag,
                        .about = "Give each document an id of its own, so that what is sent twice is there "
                                 "once"}),
      of_kind<&R::install_template>({.path = "install_template",
                                     .type = ValueType::kFlag,
                                     .about = "Install the index template when the sink starts"}),
  };
}

Keys kafka_keys() {
  using R = model::KafkaSettings;
  return {
      of_kind<&R::brokers>({.path = "brokers",
                            .type = ValueType::kEndpoints,
                            .about = "HOST:PORT of brokers, with commas between",
                            .required = true}),
      of_kind<&R::topic>({.path = "topic",
                          .type = ValueType::kTopic,
                          .about = "Topic; {log} in it is network or configuration",
                          .required = true}),
      of_kind<&R::security>({.path = "security",
                             .type = ValueType::kWord,
                             .about = "How brokers are spoken to",
                             .words = kSecurities}),
      of_kind<&R::mechanism>({.path = "mechanism",
                              .type = ValueType::kWord,
                              .about = "Mechanism of SASL",
                              .words = kMechanisms}),
      of_kind<&R::user>({.path = "user", .about = "User of SASL"}),
      of_kind<&R::password>({.path = "password", .type = ValueType::kSecret, .about = "Password of SASL"}),
      of_kind<&R::client_id>({.path = "client_id", .about = "What brokers call this client in their logs"}),
      of_kind<&R::properties>({.path = "properties",
                               .type = ValueType::kProperties,
                               .about = "librdkafka's own properties, for what is not here"}),
  };
}

Keys otlp_keys() {
  using R = model::OtlpSettings;
  return {
      of_kind<&R::url>({.path = "url",
                        .type = ValueType::kUrl,
                        .about = "http://HOST:4318; /v1/logs is put behind it",
                        .required = true}),
      of_kind<&R::headers>(
          {.path = "headers", .type = ValueType::kHeaders, .about = "Headers of every request"}),
      of_kind<&R::counters_as_text>({.path = "counters_as_text",
                                     .type = ValueType::kFlag,
                                     .about = "Counters as strings, for receivers that cut integers to 32 "
                                              "bits"}),
  };
}

Keys loki_keys() {
  using R = model::LokiSettings;
  return {
      of_kind<&R::url>({.path = "url",
                        .type = ValueType::kUrl,
                        .about = "http://HOST:3100; /loki/api/v1/push is put behind it",
                        .required = true}),
      of_kind<&R::tenant>({.path = "tenant", .about = "Tenant, sent as X-Scope-OrgID"}),
      of_kind<&R::user>({.path = "user", .about = "User for Basic, with password"}),
      of_kind<&R::password>(
          {.path = "password", .type = ValueType::kSecret, .about = "Password of that user"}),
      of_kind<&R::labels>({.path = "labels",
                           .type = ValueType::kLabels,
                           .about = "Labels of the streams, besides those that are there anyway"}),
      of_kind<&R::headers>(
          {.path = "headers", .type = ValueType::kHeaders, .about = "Headers of every request"}),
  };
}

Keys s3_keys() {
  using R = model::S3Settings;
  return {
      of_kind<&R::endpoint>({.path = "endpoint",
                             .type = ValueType::kUrl,
                             .about = "https://HOST of the store; without it Amazon's"}),
      of_kind<&R::bucket>({.path = "bucket",
                           .type = ValueType::kBucket,
                           .about = "Bucket that objects are put into",
                           .required = true}),
      of_kind<&R::region>({.path = "region", .about = "Region, such as eu-central-1"}),
      of_kind<&R::prefix>(
          {.path = "prefix", .about = "What keys begin with; {log} in it is network or configuration"}),
      of_kind<&R::access_key>({.path = "access_key", .about = "Id of the access key", .required = true}),
      of_kind<&R::secret_key>({.path = "secret_key",
                               .type = ValueType::kSecret,
                               .about = "Secret of the access key",
                               .required = true}),
      of_kind<&R::session_token>({.path = "session_token",
                                  .type = ValueType::kSecret,
                                  .about = "Token that belongs to a key for a while"}),
      of_kind<&R::path_style>({.path = "path_style",
                               .type = ValueType::kFlag,
                               .about = "The bucket in the path; false: in the host's name"}),
      of_kind<&R::object_age>({.path = "object_age",
                               .type = ValueType::kTime,
                               .about = "An object has the records of so long",
                               .min = kSecondMs,
                               .max = kDayMs}),
      of_kind<&R::object_bytes>({.path = "object_size",
                                 .type = ValueType::kSize,
                                 .about = "An object has at most so much, before compression",
                                 .min = kMega,
                                 .max = kObjectBytesMax}),
  };
}

Keys syslog_keys() {
  using R = model::SyslogSettings;
  return {
      of_kind<&R::address>({.path = "address",
                            .type = ValueType::kEndpoint,
                            .about = "HOST:PORT, over TCP",
                            .required = true}),
      of_kind<&R::octet_counting>({.path = "octet_counting",
                                   .type = ValueType::kFlag,
                                   .about = "The length before each message; false: a line end behind it"}),
      of_kind<&R::facility>({.path = "facility",
                             .type = ValueType::kWord,
                             .about = "Facility of the messages",
                             .words = kFacilities}),
      of_kind<&R::app_name>({.path = "app_name", .about = "APP-NAME of the messages"}),
      of_kind<&R::host_name>({.path = "host_name", .about = "HOSTNAME; without it this host's"}),
      of_kind<&R::message_bytes_max>({.path = "message_size",
                                      .type = ValueType::kSize,
                                      .about = "Longest message; many receivers cut at 8K",
                                      .min = kMessageBytesMin,
                                      .max = 16 * kMega}),
      of_kind<&R::tls>({.path = "tls.enabled", .type = ValueType::kFlag, .about = "Speak TLS"}),
  };
}

Keys http_keys() {
  using R = model::HttpSettings;
  return {
      of_kind<&R::url>(
          {.path = "url", .type = ValueType::kUrl, .about = "Where batches are sent to", .required = true}),
      of_kind<&R::profile>({.path = "profile",
                            .type = ValueType::kWord,
                            .about = "What a known receiver wants; the other keys win over it",
                            .words = kProfiles}),
      of_kind<&R::method>(
          {.path = "method", .type = ValueType::kWord, .about = "Method of the requests", .words = kMethods}),
      of_kind<&R::body>({.path = "body",
                         .type = ValueType::kWord,
                         .about = "Items on lines, as one array, or one behind the other",
                         .words = Words<R::Body>::kAll}),
      of_kind<&R::content_type>({.path = "content_type", .about = "Content-Type; without it as the body is"}),
      of_kind<&R::headers>(
          {.path = "headers", .type = ValueType::kHeaders, .about = "Headers of every request"}),
      of_kind<&R::user>({.path = "user", .about = "User for Basic, with password"}),
      of_kind<&R::password>(
          {.path = "password", .type = ValueType::kSecret, .about = "Password of that user"}),
      of_kind<&R::bearer>(
          {.path = "bearer", .type = ValueType::kSecret, .about = "Token that is sent as Bearer"}),
      of_kind<&R::success>({.path = "success",
                            .type = ValueType::kStatuses,
                            .about = "Statuses that mean delivered; without it 200 to 299"}),
  };
}

Keys file_keys() {
  using R = model::FileSettings;
  return {
      of_kind<&R::path>({.path = "path",
                         .type = ValueType::kPath,
                         .about = "File that lines are appended to; {log} in it is network or configuration",
                         .required = true}),
      of_kind<&R::rotate_bytes>({.path = "rotate_size",
                                 .type = ValueType::kSize,
                                 .about = "Size at which the file is put aside and a new one begun",
                                 .min = 64 * kKilo}),
      of_kind<&R::rotate_files>({.path = "rotate_files",
                                 .type = ValueType::kNumber,
                                 .about = "Files that are kept beside the one that is written",
                                 .max = kRotateFilesMax}),
  };
}

}  // namespace

std::vector<Key<model::SinkSettings>> receiver_keys(std::size_t kind) {
  constexpr std::array kAll = {splunk_keys, elastic_keys, kafka_keys, otlp_keys, loki_keys,
                               s3_keys,     syslog_keys,  http_keys,  file_keys};
  static_assert(kAll.size() == kKinds);
  return kAll[kind]();
}

}  // namespace flowtally::config
