#include "app/log_stream_sink.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "api/control.hpp"

namespace flowtally::app {
namespace {

using model::Secret;

model::Compression compression_of(std::string_view name) {
  if (name == "gzip") return model::Compression::kGzip;
  return name == "zstd" ? model::Compression::kZstd : model::Compression::kNone;
}

/// "https://host:9200/STREAM/_bulk?pretty", as Tailscale's form asks for it, is a server and a data stream.
model::ElasticSettings elastic_of(const api::LogStream& stream) {
  std::string url = stream.text("url");
  std::string index;
  url = url.substr(0, url.find('?'));
  constexpr std::string_view kBulk = "/_bulk";
  if (url.ends_with(kBulk)) {
    url.resize(url.size() - kBulk.size());
    const std::size_t host = url.find("://") + 3;
    const std::size_t slash = url.rfind('/');
    if (slash != std::string::npos && slash > host) {
      index = url.substr(slash + 1);
      url.resize(slash);
    }
  }
  return {.url = std::move(url),
          .user = stream.text("user"),
          .password = Secret(stream.text("token")),
          .index = std::move(index)};
}

model::S3Settings s3_of(const api::LogStream& stream) {
  model::S3Settings s3{.endpoint = stream.text("url"),
                       .bucket = stream.text("s3Bucket"),
                       .region = stream.text("s3Region"),
                       .prefix = stream.text("s3KeyPrefix"),
                       .access_key = stream.text("s3AccessKeyId"),
                       .secret_key = Secret(stream.text("s3SecretAccessKey"))};
  s3.path_style = !s3.endpoint.empty();  // AWS itself has a host for each bucket
  if (const std::uint64_t minutes = stream.number("uploadPeriodMinutes"); minutes > 0)
    s3.object_age = std::chrono::minutes(minutes);
  return s3;
}

}  // namespace

base::Result<model::SinkSettings> sink_of(const api::LogStream& stream, api::LogType type) {
  const std::string destination = stream.text("destinationType");
  model::SinkSettings sink{.name = api::api_stream_name(type),
                           .logs = {type},
                           .compression = compression_of(stream.text("compressionFormat"))};
  if (destination == "gcs" || stream.text("s3AuthenticationType") == "rolearn") {
    return base::fail(
        base::Error(base::ErrorCode::kUnsupported, destination == "gcs"
                                                       ? "a service account of Google cannot be used here"
                                                       : "a role of AWS cannot be assumed from here")
            .advise("Stream to s3 with s3AuthenticationType accesskey; Google's storage takes HMAC keys at "
                    "https://storage.googleapis.com"));
  }
  if (destination == "splunk") {
    sink.receiver = model::SplunkSettings{
        .url = stream.text("url"), .token = Secret(stream.text("token")), .user = stream.text("user")};
  } else if (destination == "elastic") {
    sink.receiver = elastic_of(stream);
  } else if (destination == "s3") {
    sink.receiver = s3_of(stream);
  } else {
    sink.receiver = model::HttpSettings{
        .url = stream.text("url"), .profile = destination, .bearer = Secret(stream.text("token"))};
  }
  return sink;
}

}  // namespace flowtally::app
