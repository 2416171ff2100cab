#include "sink/elastic_receiver.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "record/text.hpp"
#include "sink/elastic_answer.hpp"
#include "sink/elastic_template.hpp"
#include "sink/http_sender.hpp"
#include "sink/http_verdict.hpp"
#include "sink/log_name.hpp"
#include "sink/url.hpp"

namespace flowtally::sink {
namespace {

constexpr std::string_view kDefaultIndex = "logs-flowtally.{log}-default";
constexpr std::string_view kFilter = "filter_path=took,errors,items.*.status,items.*.error";

/// Everything that is sent to one server: a base and paths behind it, before the query that the base may
/// have.
std::string with_query(std::string url, std::string_view query) {
  url += url.find('?') == std::string::npos ? '?' : '&';
  return url += query;
}

class ElasticReceiver final : public Receiver {
 public:
  struct Parts {
    std::string root_url{};
    std::string bulk_url{};
    std::string template_url{};        ///< empty: none is installed
    std::string typed_template_url{};  ///< of Elasticsearch 6
    std::string index{};
    std::vector<std::string> headers{};
    model::Compression compression = model::Compression::kNone;
    bool ids = true;
    bool stamped = false;  ///< items have an @timestamp of their own
  };
  ElasticReceiver(HttpSender sender, Parts parts) : sender_(std::move(sender)), parts_(std::move(parts)) {}

  [[nodiscard]] ReceiverTraits traits() const override {
    return {.items_max = 5000, .bytes_max = std::uint64_t{512} << 10U};
  }

  [[nodiscard]] Outcome send(const Batch& batch, std::size_t first, std::size_t count,
                             const std::stop_token& stop) override {
    if (!ready_) {
      Outcome made_ready = prepare(stop);
      if (made_ready.verdict != Verdict::kDelivered) return made_ready;
      ready_ = true;
    }
    body_.clear();
    for (std::size_t at = first; at < first + count; ++at) append(batch, batch.items[at]);
    const std::string body = std::exchange(body_, {});  // goes with this call: others may wait long
    HttpRequest request{
        .url = parts_.bulk_url, .headers = parts_.headers, .body = body, .compression = parts_.compression};
    request.headers.emplace_back("Content-Type: application/x-ndjson");
    const HttpAnswer answer = sender_.send(request, stop);
    if (answer.stopped) return {.verdict = Verdict::kStopped};
    Outcome outcome = bulk_outcome(answer, count, parts_.ids);
    outcome.bytes = body.size();
    outcome.bytes_sent = answer.bytes_sent;
    outcome.requests = 1;
    return outcome;
  }

 private:
  void append(const Batch& batch, const Item& item) {
    body_ += action_;
    if (parts_.ids) {
      body_ += ",\"_id\":\"";
      body_ += item_id(batch, item);
      body_ += '"';
    }
    body_ += "}}\n";
    const std::string_view text = batch.text_of(item);
    if (parts_.stamped) {
      body_ += text;
    } else {
      char time[record::kTimeBytesMax];
      body_ += "{\"@timestamp\":\"";
      body_.append(time, record::put_time(item.time_ns, time));
      body_ += text == "{}" ? "\"" : "\",";
      body_ += text.substr(1);
    }
    body_ += '\n';
  }

  /// Which server is it; and the template, where that is asked for.
  [[nodiscard]] Outcome prepare(const std::stop_token& stop) {
    const HttpAnswer who =
        sender_.send({.method = "GET", .url = parts_.root_url, .headers = parts_.headers}, stop);
    if (who.stopped) return {.verdict = Verdict::kStopped};
    // Who speaks only the bulk API has nothing there.
    if (who.status != 404 && who.status != 405) {
      Outcome outcome = http_outcome(who, 0);
      if (outcome.verdict != Verdict::kDelivered) return outcome;
    }
    const bool typed = read_version(who.body).typed();
    action_ =
        fmt::format("{{\"create\":{{\"_index\":\"{}\"{}", parts_.index, typed ? R"(,"_type":"_doc")" : "");
    if (parts_.template_url.empty()) return {.verdict = Verdict::kDelivered};
    const std::string body = index_template(parts_.index, typed);
    HttpRequest request{.method = "PUT",
                        .url = typed ? parts_.typed_template_url : parts_.template_url,
                        .headers = parts_.headers,
                        .body = body};
    request.headers.emplace_back("Content-Type: application/json");
    const HttpAnswer answer = sender_.send(request, stop);
    if (answer.stopped) return {.verdict = Verdict::kStopped};
    Outcome outcome = http_outcome(answer, 0);
    if (outcome.verdict == Verdict::kBisect) outcome.verdict = Verdict::kMisconfigured;
    if (outcome.verdict != Verdict::kDelivered)
      outcome.reason = "install the index template: " + outcome.reason;
    return outcome;
  }

  HttpSender sender_;
  Parts parts_;
  bool ready_ = false;
  std::string action_;
  std::string body_;
};

}  // namespace

base::Result<std::unique_ptr<Receiver>> make_elastic_receiver(const model::SinkSettings& settings,
                                                              model::LogType log_type) {
  const auto& elastic = std::get<model::ElasticSettings>(settings.receiver);
  if (settings.compression == model::Compression::kZstd) {
    return base::fail(base::Error(base::ErrorCode::kInvalidArgument, "Elasticsearch takes gzip, not zstd"));
  }
  ElasticReceiver::Parts parts{
      .index = with_log_name(elastic.index.empty() ? std::string(kDefaultIndex) : elastic.index, log_type),
      .compression = settings.compression,
      .ids = elastic.ids,
      .stamped = settings.format == model::ItemFormat::kEcs};
  // What a name of an index may have: it goes into JSON and into addresses as it is.
  const bool odd =
      parts.index.empty() || !std::ranges::all_of(parts.index, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
      });
  if (odd) {
    return base::fail(base::Error(base::ErrorCode::kInvalidArgument,
                                  fmt::format("index \"{}\" is no name of an index", parts.index))
                          .advise("Use small letters, digits, - _ and ."));
  }
  const std::pair<std::string, std::string*> urls[] = {
      {"/", &parts.root_url},
      {"/_bulk", &parts.bulk_url},
      {"/_index_template/" + parts.index, &parts.template_url},
      {"/_template/" + parts.index, &parts.typed_template_url}};
  for (const auto& [path, into] : urls) {
    auto url = url_with_path(elastic.url, path);
    if (!url) return base::fail(std::move(url.error()));
    *into = std::move(*url);
  }
  parts.bulk_url = with_query(std::move(parts.bulk_url), kFilter);
  if (!elastic.install_template) parts.template_url.clear();
  if (!elastic.api_key.empty()) {
    parts.headers.push_back("Authorization: ApiKey " + elastic.api_key.reveal());
  } else if (!elastic.user.empty()) {
    parts.headers.push_back(basic_authorization(elastic.user, elastic.password.reveal()));
  }
  auto sender = HttpSender::open({.tls = settings.tls, .timeout = settings.retry.request_timeout});
  if (!sender) return base::fail(std::move(sender.error()));
  return std::make_unique<ElasticReceiver>(std::move(*sender), std::move(parts));
}

}  // namespace flowtally::sink
