#include <array>
#include <string>
#include <utility>

#include "config/access.hpp"
#include "config/keys.hpp"
#include "config/receiver_keys.hpp"

namespace flowtally::config {
namespace {

using model::Compression;
using model::ItemFormat;
using model::SinkSettings;
using SinkKey = Key<SinkSettings>;
using Keys = std::vector<SinkKey>;

constexpr std::uint64_t kSecondMs = 1000;
constexpr std::uint64_t kDayMs = 86'400'000;
constexpr std::uint64_t kKilo = std::uint64_t{1} << 10U;
constexpr std::uint64_t kMega = std::uint64_t{1} << 20U;
constexpr std::uint64_t kBatchItemsMax = 100'000;
constexpr std::uint64_t kBatchBytesMax = 64 * kMega;

constexpr auto kKindNames = std::to_array<std::string_view>(
    {"splunk", "elastic", "kafka", "otlp", "loki", "s3", "syslog", "http", "file"});
static_assert(kKindNames.size() == kKinds);

constexpr auto kNoneGzip = std::to_array<std::string_view>({"none", "gzip"});

/// What the receivers of a kind take.
struct Takes {
  std::span<const std::string_view> compressions = Words<Compression>::kAll;
  bool tls = true;
};

Takes takes_of(std::size_t kind) {
  switch (kind) {
    case 0:  // splunk: any other encoding is answered 415
    case 1:  // elastic
    case 3:  // otlp
    case 4:  // loki
      return {.compressions = kNoneGzip};
    case 6: return {.compressions = {}};                // syslog
    case 8: return {.compressions = {}, .tls = false};  // file
    default: return {};
  }
}

Keys common_keys() {
  using S = SinkSettings;
  return {
      // The type is read before all else, because it decides which keys there are.
      {.info = {.path = "type",
                .type = ValueType::kWord,
                .about = "Kind of the receiver",
                .words = kKindNames,
                .required = true},
       .get = [](const S& sink, const KeyInfo&) -> std::optional<Value> {
         return std::string(model::kind_of(sink.receiver));
       },
       .set = [](S&, const KeyInfo&, const Value&) {}},
      of_sink<&S::enabled>({.path = "enabled",
                            .type = ValueType::kFlag,
                            .about = "false: nothing is sent, and where the stream was is remembered"}),
      of_sink<&S::logs>({.path = "logs",
                         .type = ValueType::kWords,
                         .about = "Which logs are sent",
                         .words = Words<model::LogType>::kAll}),
      of_sink<&S::filter>({.path = "filter",
                           .type = ValueType::kFilter,
                           .about = "Which connections of the network log are sent, in the query language; "
                                    "without it all"}),
      of_sink<&S::start>({.path = "start",
                          .type = ValueType::kWord,
                          .about = "Where a sink that is new begins in the journal",
                          .words = Words<model::StartAt>::kAll}),
  };
}

/// What is about items, batches and connections comes after what is about the receiver.
Keys delivery_keys(const Takes& takes) {
  using S = SinkSettings;
  using T = model::TlsSettings;
  Keys keys = {of_sink<&S::format>({.path = "format",
                                    .type = ValueType::kWord,
                                    .about = "The record as it is, or a document for each connection",
                                    .words = Words<ItemFormat>::kAll})};
  if (!takes.compressions.empty()) {
    keys.push_back(of_sink<&S::compression>({.path = "compression",
                                             .type = ValueType::kWord,
                                             .about = "Compression of what is sent",
                                             .words = takes.compressions}));
  }
  const Keys sizes = {
      of_sink<&S::batch, &model::BatchSettings::items_max>(
          {.path = "batch.items",
           .type = ValueType::kNumber,
           .about = "Items; without it as is good for the receiver",
           .min = 1,
           .max = kBatchItemsMax}),
      of_sink<&S::batch, &model::BatchSettings::bytes_max>(
          {.path = "batch.bytes",
           .type = ValueType::kSize,
           .about = "Size before compression; without it as is good for the receiver",
           .min = kKilo,
           .max = kBatchBytesMax}),
      of_sink<&S::batch, &model::BatchSettings::age_max>({.path = "batch.age",
                                                          .type = ValueType::kTime,
                                                          .about = "Time since its first item",
                                                          .min = 10,
                                                          .max = 3600 * kSecondMs}),
      of_sink<&S::retry, &model::RetrySettings::first>({.path = "retry.first",
                                                        .type = ValueType::kTime,
                                                        .about = "Before the second try, at most; it doubles "
                                                                 "with each",
                                                        .min = 10,
                                                        .max = 3600 * kSecondMs}),
      of_sink<&S::retry, &model::RetrySettings::longest>({.path = "retry.longest",
                                                          .type = ValueType::kTime,
                                                          .about = "It grows up to this",
                                                          .min = 10,
                                                          .max = kDayMs}),
      of_sink<&S::retry, &model::RetrySettings::request_timeout>({.path = "retry.timeout",
                                                                  .type = ValueType::kTime,
                                                                  .about = "An answer is waited for so long",
                                                                  .min = 100,
                                                                  .max = 3600 * kSecondMs}),
  };
  keys.insert(keys.end(), sizes.begin(), sizes.end());
  if (!takes.tls) return keys;
  const Keys tls = {
      of_sink<&S::tls, &T::verify>({.path = "tls.verify",
                                    .type = ValueType::kFlag,
                                    .about = "false: whoever answers is believed to be the receiver"}),
      of_sink<&S::tls, &T::ca_file>({.path = "tls.ca_file",
                                     .type = ValueType::kPath,
                                     .about = "Certificates that are trusted, in PEM; without it the "
                                              "system's"}),
      of_sink<&S::tls, &T::cert_file>(
          {.path = "tls.cert_file", .type = ValueType::kPath, .about = "Certificate of this client, in PEM"}),
      of_sink<&S::tls, &T::key_file>(
          {.path = "tls.key_file", .type = ValueType::kPath, .about = "Its key, in PEM"}),
  };
  keys.insert(keys.end(), tls.begin(), tls.end());
  return keys;
}

Keys keys_of(std::size_t kind) {
  Keys keys = common_keys();
  for (const Keys& more : {receiver_keys(kind), delivery_keys(takes_of(kind))})
    keys.insert(keys.end(), more.begin(), more.end());
  return keys;
}

template <std::size_t... Kind>
std::array<SinkSettings, kKinds> all_defaults(std::index_sequence<Kind...>) {
  std::array<SinkSettings, kKinds> all;
  ((all[Kind].receiver.template emplace<Kind>()), ...);
  for (SinkSettings& sink : all) {
    const std::string_view kind = model::kind_of(sink.receiver);
    if (kind == "elastic") sink.format = ItemFormat::kEcs;
    if (kind == "otlp") sink.format = ItemFormat::kOtel;
    // Their receivers cut or refuse a line as long as a record can be.
    if (kind == "loki" || kind == "syslog") sink.format = ItemFormat::kFlattened;
  }
  return all;
}

}  // namespace

std::span<const std::string_view> kind_names() { return kKindNames; }

std::span<const SinkKey> sink_keys(std::size_t kind) {
  static const std::array<Keys, kKinds> kAll = [] {
    std::array<Keys, kKinds> all;
    for (std::size_t each = 0; each < kKinds; ++each) all[each] = keys_of(each);
    return all;
  }();
  return kAll[kind];
}

const SinkSettings& default_sink(std::size_t kind) {
  static const std::array<SinkSettings, kKinds> kAll = all_defaults(std::make_index_sequence<kKinds>());
  return kAll[kind];
}

}  // namespace flowtally::config
