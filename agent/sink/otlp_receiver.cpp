#include "sink/otlp_receiver.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sink/host_name.hpp"
#include "sink/http_sender.hpp"
#include "sink/http_verdict.hpp"
#include "sink/otlp_message.hpp"
#include "sink/url.hpp"

namespace flowtally::sink {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::string_view kPath = "/v1/logs";

/// The specification names what may be sent again: these four, and requests without an answer. What is wrong
/// with data is looked for; the rest is tried again slowly, as if the configuration were wrong: nothing that
/// the receiver says of itself makes us throw records away.
Verdict otlp_verdict(const HttpAnswer& answer) {
  switch (answer.status) {
    case 429:
    case 502:
    case 503:
    case 504: return Verdict::kRetry;
    case 408: return Verdict::kMisconfigured;
    default: break;
  }
  const Verdict verdict = http_verdict(answer);
  return verdict == Verdict::kRetry && answer.status != 0 ? Verdict::kMisconfigured : verdict;
}

class OtlpReceiver final : public Receiver {
 public:
  OtlpReceiver(HttpSender sender, HttpRequest request, OtlpForm form)
      : sender_(std::move(sender)), request_(std::move(request)), form_(std::move(form)) {}

  [[nodiscard]] ReceiverTraits traits() const override { return {}; }

  Outcome send(const Batch& batch, std::size_t first, std::size_t count,
               const std::stop_token& stop) override {
    const std::string body = otlp_request(batch, first, count, form_);
    request_.body = body;
    const HttpAnswer answer = sender_.send(request_, stop);
    request_.body = {};
    Outcome outcome = http_outcome(answer, body.size());
    outcome.verdict = otlp_verdict(answer);
    if (outcome.verdict == Verdict::kDelivered) read_answer(answer.body, count, outcome);
    return outcome;
  }

 private:
  /// Which records were rejected is not said, and nothing of it may be sent again: the first so many are in
  /// the dead-letter file, so that at least their number is right.
  static void read_answer(std::string_view body, std::size_t count, Outcome& outcome) {
    const auto answer = read_otlp_answer(body);
    if (!answer) return;  // a success all the same, of a receiver that answers in its own way
    outcome.reason = answer->message;
    const auto rejected = static_cast<std::size_t>(std::max<std::int64_t>(answer->rejected, 0));
    if (rejected == 0) return;
    outcome.items.assign(count, Verdict::kDelivered);
    outcome.reasons.assign(count, "");
    for (std::size_t at = 0; at < std::min(rejected, count); ++at) {
      outcome.items[at] = Verdict::kRefused;
      outcome.reasons[at] = fmt::format("the receiver rejected {} of {} records and does not say which: {}",
                                        rejected, count, answer->message);
    }
  }

  HttpSender sender_;
  HttpRequest request_;
  const OtlpForm form_;
};

}  // namespace

Result<std::unique_ptr<Receiver>> make_otlp_receiver(const model::SinkSettings& settings,
                                                     model::LogType /*log_type*/) {
  const auto& otlp = std::get<model::OtlpSettings>(settings.receiver);
  auto url = url_with_path(otlp.url, kPath);
  if (!url) return fail(std::move(url.error()));
  if (settings.compression == model::Compression::kZstd)
    return fail(Error(ErrorCode::kInvalidArgument, "compression: OTLP has gzip; choose gzip or none"));
  HttpRequest request{.url = std::move(*url),
                      .headers = {"Content-Type: application/x-protobuf"},
                      .compression = settings.compression};
  if (auto added = append_headers(otlp.headers, request.headers); !added)
    return fail(std::move(added.error()));
  auto sender = HttpSender::open({.tls = settings.tls, .timeout = settings.retry.request_timeout});
  if (!sender) return fail(std::move(sender.error()));
  return std::make_unique<OtlpReceiver>(std::move(*sender), std::move(request),
                                        OtlpForm{.format = settings.format,
                                                 .counters_as_text = otlp.counters_as_text,
                                                 .host_name = host_name(),
                                                 .agent_version = FLOWTALLY_VERSION});
}

}  // namespace flowtally::sink
