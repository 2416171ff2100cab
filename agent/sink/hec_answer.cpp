#include "sink/hec_answer.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include "sink/http_verdict.hpp"

namespace flowtally::sink {
namespace {

/// By Splunk's code; nothing: the HTTP status decides.
std::optional<Verdict> verdict_of(int code) noexcept {
  switch (code) {
    case 0: return Verdict::kDelivered;
    case 1:   // token disabled
    case 2:   // token required
    case 3:   // invalid authorization
    case 4:   // invalid token
    case 7:   // incorrect index
    case 10:  // channel missing
    case 11:  // invalid channel
    case 14:  // acknowledgement disabled
    case 16:  // query string authorization off
    case 21:  // invalid token
    case 22: return Verdict::kMisconfigured;
    case 5:                            // no data
    case 6:                            // invalid data format
    case 12:                           // event field required
    case 13:                           // event blank
    case 15: return Verdict::kBisect;  // indexed fields
    case 8:                            // internal error
    case 9:                            // server is busy
    case 18:                           // unhealthy, queues full
    case 19:
    case 20:
    case 23:  // shutting down
    case 26:  // queue at capacity
    case 27: return Verdict::kRetry;
    default: return std::nullopt;
  }
}

}  // namespace

HecAnswer read_hec_answer(const HttpAnswer& answer) {
  HecAnswer read;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(simdjson::padded_string(answer.body)).get_object().get(object) != simdjson::SUCCESS)
    return read;
  std::int64_t code = 0;
  std::uint64_t number = 0;
  std::string_view text;
  if (object["code"].get(code) == simdjson::SUCCESS) read.code = static_cast<int>(code);
  if (object["invalid-event-number"].get(number) == simdjson::SUCCESS) read.invalid_event = number;
  if (object["ackId"].get(number) == simdjson::SUCCESS) read.ack_id = number;
  if (object["text"].get(text) == simdjson::SUCCESS) read.text = text;
  return read;
}

Outcome hec_outcome(const HttpAnswer& answer, const HecAnswer& read, std::size_t count) {
  Outcome outcome = http_outcome(answer, 0);
  if (answer.status == 0) return outcome;
  const bool success = answer.status >= 200 && answer.status < 300;
  if (success) {
    // Some receivers answer 202, or without a code.
    if (!read.code || *read.code == 0) outcome.verdict = Verdict::kDelivered;
    if (outcome.verdict == Verdict::kDelivered) return outcome;
  }
  if (const auto verdict = read.code ? verdict_of(*read.code) : std::nullopt;
      verdict && *verdict != Verdict::kDelivered) {
    outcome.verdict = *verdict;
    outcome.reason = fmt::format("code {}: {}", *read.code, read.text);
  }
  if (outcome.verdict != Verdict::kBisect || !read.invalid_event || *read.invalid_event >= count)
    return outcome;
  outcome.items.assign(count, Verdict::kRetry);
  outcome.reasons.assign(count, {});
  for (std::size_t at = 0; at < *read.invalid_event; ++at) outcome.items[at] = Verdict::kDelivered;
  outcome.items[*read.invalid_event] = Verdict::kRefused;
  outcome.reasons[*read.invalid_event] = outcome.reason;
  return outcome;
}

bool is_acknowledged(std::string_view body, std::uint64_t id) {
  simdjson::dom::parser parser;
  bool there = false;
  return parser.parse(simdjson::padded_string(body))["acks"][fmt::format("{}", id)].get(there) ==
             simdjson::SUCCESS &&
         there;
}

}  // namespace flowtally::sink
