#include "sink/http_receiver.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "sink/hec_event.hpp"
#include "sink/http_profile.hpp"
#include "sink/http_sender.hpp"
#include "sink/http_verdict.hpp"
#include "sink/log_name.hpp"
#include "sink/url.hpp"

namespace flowtally::sink {
namespace {

using Body = model::HttpSettings::Body;

/// VictoriaLogs wants to be told which member is what; without these it stores rows that nobody finds.
constexpr std::string_view kVictoriaQuery = "_stream_fields=nodeId&_time_field=start&_msg_field=class,nodeId";

class PlainReceiver final : public Receiver {
 public:
  PlainReceiver(HttpSender sender, HttpRequest request, const HttpProfile& profile, Body form,
                std::vector<std::uint16_t> success, std::string members)
      : sender_(std::move(sender)),
        request_(std::move(request)),
        profile_(profile),
        form_(form),
        success_(std::move(success)),
        members_(std::move(members)) {}

  [[nodiscard]] ReceiverTraits traits() const override {
    return {.items_max = profile_.items_max,
            .bytes_max = profile_.bytes_max,
            .item_bytes_max = profile_.item_bytes_max};
  }

  [[nodiscard]] Outcome send(const Batch& batch, std::size_t first, std::size_t count,
                             const std::stop_token& stop) override {
    body_.clear();
    if (form_ == Body::kArray) body_ += '[';
    for (std::size_t at = first; at < first + count; ++at) {
      if (form_ == Body::kArray && at > first) body_ += ',';
      if (profile_.envelope) {
        append_hec_event(batch, batch.items[at], members_, body_);
      } else {
        body_ += batch.text_of(batch.items[at]);
      }
      if (form_ == Body::kNdjson) body_ += '\n';
    }
    if (form_ == Body::kArray) body_ += ']';
    request_.body = body_;
    const HttpAnswer answer = sender_.send(request_, stop);
    if (answer.stopped) return {.verdict = Verdict::kStopped};
    Outcome outcome = http_outcome(answer, body_.size());
    if (!success_.empty() && answer.status != 0) judge_by_list(answer, outcome);
    if (profile_.judge != nullptr) profile_.judge(answer, count, outcome);
    return outcome;
  }

 private:
  /// The settings know better what a success is.
  void judge_by_list(const HttpAnswer& answer, Outcome& outcome) const {
    const bool success = std::ranges::find(success_, answer.status) != success_.end();
    if (success) {
      outcome.verdict = Verdict::kDelivered;
      outcome.reason.clear();
    } else if (outcome.verdict == Verdict::kDelivered) {
      outcome.verdict = Verdict::kMisconfigured;
      outcome.reason = http_reason(answer) + " is no success by the settings";
    }
  }

  HttpSender sender_;
  HttpRequest request_;
  const HttpProfile& profile_;
  Body form_;
  std::vector<std::uint16_t> success_;
  std::string members_;
  std::string body_;
};

base::Result<std::string> address_of(const model::HttpSettings& http, const HttpProfile& profile,
                                     model::LogType log_type) {
  auto url = url_with_path(with_log_name(http.url, log_type), profile.path);
  if (!url) return url;
  if (profile.name == "victorialogs" && url->find("_time_field=") == std::string::npos) {
    *url += url->find('?') == std::string::npos ? '?' : '&';
    *url += kVictoriaQuery;
  }
  return url;
}

}  // namespace

base::Result<std::unique_ptr<Receiver>> make_http_receiver(const model::SinkSettings& settings,
                                                           model::LogType log_type) {
  const auto& http = std::get<model::HttpSettings>(settings.receiver);
  const auto wrong = [](std::string what) {
    return base::fail(base::Error(base::ErrorCode::kInvalidArgument, std::move(what)));
  };
  const HttpProfile* const profile = http_profile(http.profile);
  if (profile == nullptr) return wrong(fmt::format("there is no profile \"{}\"", http.profile));
  if (settings.compression == model::Compression::kZstd && !profile->zstd)
    return wrong(fmt::format("{} takes gzip, not zstd", profile->name));
  auto url = address_of(http, *profile, log_type);
  if (!url) return base::fail(std::move(url.error()));
  HttpRequest request{.method = http.method, .url = std::move(*url), .compression = settings.compression};
  const std::string type = http.content_type.empty() ? std::string(profile->content_type) : http.content_type;
  request.headers.push_back("Content-Type: " + type);
  if (!http.bearer.empty()) {
    const std::string_view header =
        profile->token_header.empty() ? "Authorization: Bearer " : profile->token_header;
    request.headers.push_back(fmt::format("{}{}", header, http.bearer.reveal()));
  } else if (!http.user.empty()) {
    request.headers.push_back(basic_authorization(http.user, http.password.reveal()));
  }
  if (auto added = append_headers(http.headers, request.headers); !added)
    return base::fail(std::move(added.error()));
  auto sender = HttpSender::open({.tls = settings.tls, .timeout = settings.retry.request_timeout});
  if (!sender) return base::fail(std::move(sender.error()));
  const Body form = http.profile.empty() ? http.body : profile->body;
  return std::make_unique<PlainReceiver>(std::move(*sender), std::move(request), *profile, form, http.success,
                                         hec_members({}, log_type));
}

}  // namespace flowtally::sink
