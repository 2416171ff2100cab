#include "sink/loki_receiver.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "record/text.hpp"
#include "sink/http_sender.hpp"
#include "sink/http_verdict.hpp"
#include "sink/url.hpp"

namespace flowtally::sink {
namespace {

namespace dom = simdjson::dom;

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::string_view kPath = "/loki/api/v1/push";
// Loki's own limits unless its operator has others.
constexpr std::size_t kLabelsMax = 15;
constexpr std::uint64_t kLineBytesMax = std::uint64_t{256} << 10U;
constexpr std::uint64_t kPushBytes = std::uint64_t{1} << 20U;

/// What of a connection becomes structured metadata, and what it is called in the formats: only one of the
/// names is in a document. A record as it is has none of them: it is of many connections.
struct Metadata {
  std::string_view name;
  std::array<std::string_view, 5> paths;
};
constexpr std::array<Metadata, 5> kMetadata = {{
    {"src", {"src", "source.address", "src_endpoint.ip", "src_ip", ""}},
    {"src_port", {"srcPort", "source.port", "src_endpoint.port", "src_port", ""}},
    {"dst", {"dst", "destination.address", "dst_endpoint.ip", "dest_ip", ""}},
    {"dst_port", {"dstPort", "destination.port", "dst_endpoint.port", "dest_port", ""}},
    {"proto",
     {"proto", "network.iana_number", "connection_info.protocol_num", "protocol_id", "flowtally.proto"}},
}};

/// "a.b": the member of that name, or member b of member a.
simdjson::simdjson_result<dom::element> at_path(dom::object object, std::string_view path) {
  auto found = object.at_key(path);
  const std::size_t dot = path.find('.');
  if (found.error() == simdjson::SUCCESS || dot == std::string_view::npos) return found;
  dom::object inner;
  const auto error = object.at_key(path.substr(0, dot)).get(inner);
  if (error != simdjson::SUCCESS) return error;
  return at_path(inner, path.substr(dot + 1));
}

/// Structured metadata is text; empty where the value is neither text nor a number.
std::string as_text(dom::element value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  std::uint64_t number = 0;
  if (value.get(number) == simdjson::SUCCESS) return fmt::format("{}", number);
  return {};
}

bool is_label(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

void append_member(std::string_view name, std::string_view value, std::string& out) {
  if (!out.ends_with('{')) out += ',';
  record::append_json_string(name, out);
  out += ':';
  record::append_json_string(value, out);
}

class LokiReceiver final : public Receiver {
 public:
  LokiReceiver(HttpSender sender, HttpRequest request, std::map<std::string, std::string> labels)
      : sender_(std::move(sender)), request_(std::move(request)), labels_(std::move(labels)) {}

  [[nodiscard]] ReceiverTraits traits() const override {
    return {.bytes_max = kPushBytes, .item_bytes_max = kLineBytesMax};
  }

  Outcome send(const Batch& batch, std::size_t first, std::size_t count,
               const std::stop_token& stop) override {
    body_ = R"({"streams":[{"stream":{)";
    std::map<std::string, std::string> labels = labels_;
    if (!batch.node_id.empty()) labels.try_emplace("node", batch.node_id);
    for (const auto& [name, value] : labels) append_member(name, value, body_);
    body_ += R"(},"values":[)";
    for (std::size_t at = first; at < first + count; ++at) {
      if (at > first) body_ += ',';
      append_value(batch, batch.items[at]);
    }
    body_ += "]}]}";
    const std::string body = std::exchange(body_, {});  // goes with this call: others may wait long
    request_.body = body;
    return http_outcome(sender_.send(request_, stop), body.size());
  }

 private:
  /// ["time","line",{"id":…,"src":…}]
  void append_value(const Batch& batch, const Item& item) {
    const std::string_view text = batch.text_of(item);
    body_ += fmt::format("[\"{}\",", std::max<std::int64_t>(item.time_ns, 0));
    record::append_json_string(text, body_);
    body_ += ",{";
    append_member("id", item_id(batch, item), body_);
    dom::object document;
    if (parser_.parse(text.data(), text.size()).get(document) == simdjson::SUCCESS) {
      for (const Metadata& metadata : kMetadata) append_metadata(document, metadata);
    }
    body_ += "}]";
  }

  void append_metadata(dom::object document, const Metadata& metadata) {
    for (const std::string_view path : metadata.paths) {
      dom::element value;
      if (path.empty() || at_path(document, path).get(value) != simdjson::SUCCESS) continue;
      if (const std::string text = as_text(value); !text.empty()) append_member(metadata.name, text, body_);
      return;
    }
  }

  HttpSender sender_;
  HttpRequest request_;
  const std::map<std::string, std::string> labels_;  ///< sorted, so that one stream is always the same text
  dom::parser parser_{};
  std::string body_{};
};

}  // namespace

Result<std::unique_ptr<Receiver>> make_loki_receiver(const model::SinkSettings& settings,
                                                     model::LogType log_type) {
  const auto& loki = std::get<model::LokiSettings>(settings.receiver);
  const auto wrong = [](std::string what) {
    return fail(Error(ErrorCode::kInvalidArgument, std::move(what)));
  };
  auto url = url_with_path(loki.url, kPath);
  if (!url) return fail(std::move(url.error()));
  if (settings.compression == model::Compression::kZstd)
    return wrong("compression: Loki has gzip; choose gzip or none");
  std::map<std::string, std::string> labels = {{"job", "flowtally"},
                                               {"log", std::string(model::log_type_name(log_type))}};
  for (const auto& [name, value] : loki.labels) {
    if (!is_label(name)) return wrong(fmt::format("labels: \"{}\" is no name of a label", name));
    labels[name] = value;
  }
  if (labels.size() >= kLabelsMax)
    return wrong(fmt::format("labels: {} with ours, Loki takes {}", labels.size() + 1, kLabelsMax));
  HttpRequest request{.url = std::move(*url),
                      .headers = {"Content-Type: application/json"},
                      .compression = settings.compression};
  model::Headers headers = loki.headers;
  if (!loki.tenant.empty()) headers.emplace_back("X-Scope-OrgID", model::Secret(loki.tenant));
  if (auto added = append_headers(headers, request.headers); !added) return fail(std::move(added.error()));
  if (!loki.user.empty()) request.headers.push_back(basic_authorization(loki.user, loki.password.reveal()));
  auto sender = HttpSender::open({.tls = settings.tls, .timeout = settings.retry.request_timeout});
  if (!sender) return fail(std::move(sender.error()));
  return std::make_unique<LokiReceiver>(std::move(*sender), std::move(request), std::move(labels));
}

}  // namespace flowtally::sink
