#include "sink/http_verdict.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace flowtally::sink {
namespace {

constexpr std::size_t kReasonBytesMax = 400;
constexpr long kStatusSuccess = 200;
constexpr long kStatusRedirect = 300;
constexpr long kStatusServer = 500;

}  // namespace

Verdict http_verdict(const HttpAnswer& answer) noexcept {
  if (answer.stopped) return Verdict::kStopped;
  if (answer.tls_refused) return Verdict::kMisconfigured;
  switch (answer.status) {
    case 0:
    case 408:
    case 429: return Verdict::kRetry;
    case 413: return Verdict::kTooLarge;
    case 400:
    case 422: return Verdict::kBisect;
    case 501: return Verdict::kMisconfigured;
    default: break;
  }
  if (answer.status >= kStatusSuccess && answer.status < kStatusRedirect) return Verdict::kDelivered;
  return answer.status >= kStatusServer ? Verdict::kRetry : Verdict::kMisconfigured;
}

std::string http_reason(const HttpAnswer& answer) {
  if (answer.status == 0) return answer.failure;
  std::string reason = fmt::format("HTTP {}", answer.status);
  if (answer.body.empty()) return reason;
  reason += ": ";
  for (const char c : std::string_view(answer.body).substr(0, kReasonBytesMax)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool printable = byte >= 0x20U && byte != 0x7fU;
    if (printable || !reason.ends_with(' ')) reason += printable ? c : ' ';
  }
  return reason;
}

Outcome http_outcome(const HttpAnswer& answer, std::uint64_t bytes) {
  Outcome outcome{.verdict = http_verdict(answer),
                  .retry_after = answer.retry_after,
                  .bytes = bytes,
                  .bytes_sent = answer.bytes_sent,
                  .requests = 1};
  if (outcome.verdict != Verdict::kDelivered) outcome.reason = http_reason(answer);
  return outcome;
}

}  // namespace flowtally::sink
