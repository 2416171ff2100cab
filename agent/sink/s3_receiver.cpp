#include "sink/s3_receiver.hpp"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "sink/http_sender.hpp"
#include "sink/http_verdict.hpp"
#include "sink/log_name.hpp"
#include "sink/object_body.hpp"
#include "sink/sigv4.hpp"
#include "sink/url.hpp"

namespace flowtally::sink {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kObjectBytesMin = std::uint64_t{1} << 20U;
/// An object and its batch are in memory; one PUT could take 5 GB.
constexpr std::uint64_t kObjectBytesMax = std::uint64_t{256} << 20U;
constexpr std::uint64_t kObjectItemsMax = 1'000'000;
constexpr std::size_t kBucketBytesMin = 3;
constexpr std::size_t kBucketBytesMax = 63;
constexpr std::size_t kPrefixBytesMax = 512;

/// Of <Error><Code>…</Code>…</Error>; empty where there is none.
std::string_view error_code(std::string_view body) {
  constexpr std::string_view kOpen = "<Code>";
  const std::size_t begin = body.find(kOpen);
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = body.substr(begin + kOpen.size());
  return rest.substr(0, std::min(rest.find('<'), rest.size()));
}

/// S3 says 400 for many things; none of them is the data's fault, which S3 does not look into.
Outcome s3_outcome(const HttpAnswer& answer, std::uint64_t bytes) {
  Outcome outcome = http_outcome(answer, bytes);
  const std::string_view code = error_code(answer.body);
  if (outcome.verdict == Verdict::kBisect) outcome.verdict = Verdict::kMisconfigured;
  if (code == "RequestTimeout" || code == "OperationAborted" || code == "SlowDown" || code == "BadDigest" ||
      code == "XAmzContentSHA256Mismatch" || code == "IncompleteBody")
    outcome.verdict = Verdict::kRetry;
  if (code == "EntityTooLarge") outcome.verdict = Verdict::kTooLarge;
  if (code == "RequestTimeTooSkewed")
    outcome.reason = "the clock of this host or of the store is wrong by minutes: " + outcome.reason;
  return outcome;
}

/// As S3 names buckets, so that a name can be part of a host and of a path.
bool good_bucket(std::string_view bucket) {
  const bool characters = std::ranges::all_of(bucket, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
           (c >= 'A' && c <= 'Z');  // the last two: old buckets, and stores that are not AWS
  });
  return bucket.size() >= kBucketBytesMin && bucket.size() <= kBucketBytesMax && characters &&
         !bucket.starts_with('.');
}

struct Endpoint {
  std::string scheme{};  ///< with "://"
  std::string host{};    ///< as the Host header has it: without the scheme's own port
};

Result<Endpoint> endpoint_of(const model::S3Settings& s3) {
  const std::string url =
      s3.endpoint.empty() ? fmt::format("https://s3.{}.amazonaws.com", s3.region) : s3.endpoint;
  const auto checked = url_with_path(url, "");
  if (!checked) return fail(Error(checked.error()).during("endpoint"));
  const std::size_t begin = checked->find("://") + 3;
  Endpoint endpoint{.scheme = checked->substr(0, begin), .host = checked->substr(begin)};
  if (endpoint.host.find_first_of("/?") != std::string::npos)
    return fail(Error(ErrorCode::kInvalidArgument, fmt::format("endpoint: \"{}\" has a path", s3.endpoint)));
  const std::string_view own_port = endpoint.scheme == "https://" ? ":443" : ":80";
  if (endpoint.host.ends_with(own_port)) endpoint.host.resize(endpoint.host.size() - own_port.size());
  std::ranges::transform(endpoint.host, endpoint.host.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return endpoint;
}

class S3Receiver final : public Receiver {
 public:
  S3Receiver(HttpSender sender, model::S3Settings settings, Endpoint endpoint, model::Compression compression)
      : sender_(std::move(sender)),
        settings_(std::move(settings)),
        scheme_(std::move(endpoint.scheme)),
        host_(settings_.path_style ? endpoint.host : fmt::format("{}.{}", settings_.bucket, endpoint.host)),
        compression_(compression),
        keys_{.access_key = settings_.access_key,
              .secret_key = settings_.secret_key,
              .session_token = settings_.session_token,
              .region = settings_.region} {}

  [[nodiscard]] ReceiverTraits traits() const override {
    return {.items_max = kObjectItemsMax, .bytes_max = settings_.object_bytes, .age = settings_.object_age};
  }

  Outcome send(const Batch& batch, std::size_t first, std::size_t count,
               const std::stop_token& stop) override {
    const auto body = object_body(batch, first, count, compression_);
    if (!body) return {.verdict = Verdict::kRetry, .reason = body.error().text()};
    std::uint64_t bytes = count;  // the line ends
    for (std::size_t at = first; at < first + count; ++at) bytes += batch.items[at].size;

    const std::string key = object_key(settings_.prefix, batch, batch.items[first], compression_);
    const std::string path =
        uri_encoded(settings_.path_style ? fmt::format("/{}/{}", settings_.bucket, key) : "/" + key, true);
    const std::string type = content_type();
    HttpRequest request{
        .method = "PUT", .url = scheme_ + host_ + path, .headers = {"Content-Type: " + type}, .body = *body};
    const auto fields = sign(
        {.host = host_, .path = path, .headers = {{"content-type", type}}, .payload_hash = sha256_hex(*body)},
        keys_, base::now().wall_ns / kSecondNs);
    for (const auto& [name, value] : fields) request.headers.push_back(fmt::format("{}: {}", name, value));
    return s3_outcome(sender_.send(request, stop), bytes);
  }

 private:
  /// A type, not an encoding: whoever gets the object gets it as it is.
  [[nodiscard]] std::string content_type() const {
    switch (compression_) {
      case model::Compression::kGzip: return "application/gzip";
      case model::Compression::kZstd: return "application/zstd";
      case model::Compression::kNone: break;
    }
    return "application/x-ndjson";
  }

  HttpSender sender_;
  const model::S3Settings settings_;
  const std::string scheme_;
  const std::string host_;
  const model::Compression compression_;
  const SigningKeys keys_;
};

base::Status check(const model::S3Settings& s3) {
  const auto wrong = [](std::string what) {
    return fail(Error(ErrorCode::kInvalidArgument, std::move(what)));
  };
  if (!good_bucket(s3.bucket))
    return wrong(fmt::format("bucket: \"{}\" is not {} to {} letters, digits, . - or _", s3.bucket,
                             kBucketBytesMin, kBucketBytesMax));
  if (s3.access_key.empty() || s3.secret_key.empty())
    return wrong("access_key and secret_key are both needed");
  if (s3.prefix.size() > kPrefixBytesMax)
    return wrong(fmt::format("prefix: longer than {} bytes", kPrefixBytesMax));
  if (s3.object_bytes < kObjectBytesMin || s3.object_bytes > kObjectBytesMax)
    return wrong(
        fmt::format("object_size: {} is not {} to {}", s3.object_bytes, kObjectBytesMin, kObjectBytesMax));
  if (s3.object_age.count() <= 0) return wrong("object_age: has to be more than 0");
  return {};
}

}  // namespace

std::string object_key(const std::string& prefix, const Batch& batch, const Item& first,
                       model::Compression compression) {
  std::int64_t whole = first.time_ns / kSecondNs;
  if (first.time_ns % kSecondNs < 0) --whole;
  const auto seconds = static_cast<std::time_t>(whole);
  std::tm time{};
  ::gmtime_r(&seconds, &time);
  std::string node = batch.node_id.empty() ? "node" : batch.node_id;
  std::ranges::replace_if(
      node, [](unsigned char c) { return std::isalnum(c) == 0 && c != '-' && c != '.' && c != '_'; }, '_');

  std::string key = prefix;
  if (!key.empty() && !key.ends_with('/')) key += '/';
  key += fmt::format("{:04}/{:02}/{:02}/{:02}/{}-", time.tm_year + 1900, time.tm_mon + 1, time.tm_mday,
                     time.tm_hour, node);
  key += fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}.{:09}Z-{}", time.tm_year + 1900, time.tm_mon + 1,
                     time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec, first.time_ns - whole * kSecondNs,
                     first.sequence);
  if (first.part != 0) key += fmt::format(".{}", first.part);
  key += ".ndjson";
  if (compression == model::Compression::kGzip) key += ".gz";
  if (compression == model::Compression::kZstd) key += ".zst";
  return key;
}

Result<std::unique_ptr<Receiver>> make_s3_receiver(const model::SinkSettings& settings,
                                                   model::LogType log_type) {
  model::S3Settings s3 = std::get<model::S3Settings>(settings.receiver);
  if (s3.region.empty()) s3.region = "us-east-1";
  s3.prefix = with_log_name(std::move(s3.prefix), log_type);
  while (s3.prefix.starts_with('/')) s3.prefix.erase(0, 1);
  if (auto checked = check(s3); !checked) return fail(std::move(checked.error()));
  auto endpoint = endpoint_of(s3);
  if (!endpoint) return fail(std::move(endpoint.error()));
  auto sender = HttpSender::open({.tls = settings.tls, .timeout = settings.retry.request_timeout});
  if (!sender) return fail(std::move(sender.error()));
  return std::make_unique<S3Receiver>(std::move(*sender), std::move(s3), std::move(*endpoint),
                                      settings.compression);
}

}  // namespace flowtally::sink
