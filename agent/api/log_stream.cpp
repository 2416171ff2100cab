#include "api/log_stream.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "record/text.hpp"

namespace flowtally::api {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

enum class Kind : std::uint8_t { kText, kNumber, kTexts };

struct Known {
  std::string_view name;
  Kind kind = Kind::kText;
  bool left_out = false;  ///< never comes back
  bool masked = false;    ///< in the audit log
};

/// LogstreamConfiguration of tailscale.com/client/tailscale/v2, logging.go.
constexpr auto kKnown = std::to_array<Known>({
    {"destinationType"},
    {"url"},
    {"user"},
    {.name = "token", .left_out = true, .masked = true},
    {.name = "uploadPeriodMinutes", .kind = Kind::kNumber},
    {"compressionFormat"},
    {"s3Bucket"},
    {"s3Region"},
    {"s3KeyPrefix"},
    {"s3AuthenticationType"},
    {"s3AccessKeyId"},
    {.name = "s3SecretAccessKey", .left_out = true, .masked = true},
    {"s3RoleArn"},
    {"s3ExternalId"},
    {"gcsBucket"},
    {"gcsKeyPrefix"},
    {.name = "gcsScopes", .kind = Kind::kTexts},
    {.name = "gcsCredentials", .masked = true},
});

constexpr auto kDestinations = std::to_array<std::string_view>(
    {"splunk", "elastic", "panther", "cribl", "datadog", "axiom", "s3", "gcs"});
constexpr auto kCompressions = std::to_array<std::string_view>({"none", "zstd", "gzip"});
constexpr std::uint64_t kUploadPeriodMinutesMax = 1440;
constexpr std::string_view kHecPath = "/services/collector/event";

std::unexpected<Error> wrong(std::string what) {
  return fail(Error(ErrorCode::kInvalidArgument, std::move(what)));
}

template <std::size_t N>
std::string list_of(const std::array<std::string_view, N>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

bool is_url(std::string_view url) {
  return (url.starts_with("https://") && url.size() > 8) || (url.starts_with("http://") && url.size() > 7);
}

}  // namespace

base::Result<LogStream> LogStream::parse(std::string_view body) {
  if (body.size() > kStreamBytesMax)
    return wrong(fmt::format("the body has more than {} bytes", kStreamBytesMax));
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(simdjson::padded_string(body)).get_object().get(object) != simdjson::SUCCESS) {
    return wrong("the body is not a JSON object");
  }
  LogStream stream;
  for (const auto& [key, value] : object) {
    const auto known = std::ranges::find(kKnown, key, &Known::name);
    if (known == kKnown.end()) continue;
    if (stream.find(key) != nullptr) return wrong(fmt::format("{} is there twice", key));
    Field field{.name = std::string(key), .json = simdjson::minify(value), .text = {}, .number = 0};
    std::string_view text;
    switch (known->kind) {
      case Kind::kText:
        if (value.get_string().get(text) != simdjson::SUCCESS)
          return wrong(fmt::format("{} is no string", key));
        field.text = text;
        break;
      case Kind::kNumber:
        if (value.get_uint64().get(field.number) != simdjson::SUCCESS)
          return wrong(fmt::format("{} is no whole number", key));
        break;
      case Kind::kTexts:
        if (!value.is_array() && !value.is_null()) return wrong(fmt::format("{} is no list", key));
        break;
    }
    stream.fields_.push_back(std::move(field));
  }
  if (auto checked = stream.check(); !checked) return fail(std::move(checked.error()));
  return stream;
}

const LogStream::Field* LogStream::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(fields_, name, &Field::name);
  return found == fields_.end() ? nullptr : &*found;
}

std::string LogStream::text(std::string_view name) const {
  const Field* const field = find(name);
  return field == nullptr ? std::string() : field->text;
}

std::uint64_t LogStream::number(std::string_view name) const {
  const Field* const field = find(name);
  return field == nullptr ? 0 : field->number;
}

base::Status LogStream::check() const {
  const std::string type = text("destinationType");
  if (std::ranges::find(kDestinations, type) == kDestinations.end()) {
    return wrong(fmt::format("destinationType \"{}\" is not one of {}", type, list_of(kDestinations)));
  }
  const std::string compression = text("compressionFormat");
  if (!compression.empty() && std::ranges::find(kCompressions, compression) == kCompressions.end()) {
    return wrong(
        fmt::format("compressionFormat \"{}\" is not one of {}", compression, list_of(kCompressions)));
  }
  if (number("uploadPeriodMinutes") > kUploadPeriodMinutesMax) {
    return wrong(fmt::format("uploadPeriodMinutes is more than {}", kUploadPeriodMinutesMax));
  }
  const auto need = [this, &type](std::string_view name) -> base::Status {
    if (!text(name).empty()) return {};
    return wrong(fmt::format("a stream to {} needs {}", type, name));
  };
  const std::string url = text("url");
  if (type == "s3") {
    if (!url.empty() && !is_url(url)) return wrong("url begins with neither https:// nor http://");
    const std::string how = text("s3AuthenticationType");
    for (const char* const name : {"s3Bucket", "s3Region"}) {
      if (auto given = need(name); !given) return given;
    }
    if (how == "rolearn") return need("s3RoleArn");
    if (how != "accesskey")
      return wrong(fmt::format("s3AuthenticationType \"{}\" is not one of accesskey, rolearn", how));
    if (auto given = need("s3AccessKeyId"); !given) return given;
    return need("s3SecretAccessKey");
  }
  if (type == "gcs") {
    if (auto given = need("gcsBucket"); !given) return given;
    return need("gcsCredentials");
  }
  if (auto given = need("url"); !given) return given;
  if (!is_url(url)) return wrong("url begins with neither https:// nor http://");
  if (type == "splunk" && !url.ends_with(kHecPath))
    return wrong(fmt::format("the url of splunk ends with {}", kHecPath));
  return need("token");
}

std::string LogStream::json(Secrets secrets, std::string_view log_type) const {
  std::string out = "{";
  const auto add = [&out](std::string_view name, std::string_view json) {
    if (out.size() > 1) out += ',';
    record::append_json_string(name, out);
    out += ':';
    out += json;
  };
  if (!log_type.empty()) {
    std::string text;
    record::append_json_string(log_type, text);
    add("logType", text);
  }
  for (const Field& field : fields_) {
    const auto known = std::ranges::find(kKnown, field.name, &Known::name);
    if (secrets == Secrets::kLeftOut && known->left_out) continue;
    const bool mask = secrets == Secrets::kMasked && known->masked && !field.text.empty();
    add(field.name, mask ? std::string_view("\"***\"") : std::string_view(field.json));
  }
  return out + '}';
}

}  // namespace flowtally::api
