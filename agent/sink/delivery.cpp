#include "sink/delivery.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace flowtally::sink {

bool Delivery::deliver(const Batch& batch, const std::stop_token& stop) {
  refused_.clear();
  todo_.clear();
  const ReceiverTraits traits = receiver_.traits();
  // What cannot be sent at all goes first; the rest in as few pieces as that leaves.
  Attempt too_large{.verdict = Verdict::kRefused, .reason = "larger than the receiver takes"};
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= batch.items.size(); ++at) {
    const bool end = at == batch.items.size();
    if (!end && batch.items[at].size <= traits.item_bytes_max) continue;
    if (at > begin) again({.first = begin, .count = at - begin});
    if (!end) refuse(batch, at, too_large.reason, too_large);
    begin = at + 1;
  }
  if (too_large.refused > 0) tell_(too_large);
  std::ranges::reverse(todo_);
  while (!todo_.empty()) {
    const Span span = todo_.back();
    todo_.pop_back();
    if (!send(batch, span, stop)) return false;
  }
  return true;
}

bool Delivery::send(const Batch& batch, Span span, const std::stop_token& stop) {
  if (stop.stop_requested()) return false;
  const Outcome outcome = receiver_.send(batch, span.first, span.count, stop);
  Attempt attempt{.verdict = outcome.verdict,
                  .bytes = outcome.bytes,
                  .bytes_sent = outcome.bytes_sent,
                  .requests = outcome.requests,
                  .reason = outcome.reason};
  if (outcome.items.size() == span.count && outcome.verdict != Verdict::kStopped) {
    take_items(batch, span, outcome, attempt);
  } else if (!take_all(batch, span, outcome, attempt)) {
    return false;
  }
  tell_(attempt);
  switch (attempt.verdict) {
    case Verdict::kRetry: return wait_(backoff_.after_failure(outcome.retry_after));
    case Verdict::kMisconfigured: return wait_(backoff_.after_misconfiguration());
    default: backoff_.succeeded(); return true;
  }
}

void Delivery::refuse(const Batch& batch, std::size_t item, const std::string& reason, Attempt& attempt) {
  ++attempt.refused;
  refused_.push_back({.log_type = batch.log_type,
                      .item = batch.items[item],
                      .text = std::string(batch.text_of(batch.items[item])),
                      .reason = reason});
}

/// The receiver has said of each item what became of it.
void Delivery::take_items(const Batch& batch, Span span, const Outcome& outcome, Attempt& attempt) {
  attempt.verdict = Verdict::kDelivered;
  std::vector<Span> left;
  for (std::size_t at = 0; at < span.count; ++at) {
    const std::size_t item = span.first + at;
    switch (outcome.items[at]) {
      case Verdict::kAlreadyThere: ++attempt.repeated; [[fallthrough]];
      case Verdict::kDelivered: ++attempt.delivered; break;
      case Verdict::kRefused:
        refuse(batch, item, at < outcome.reasons.size() ? outcome.reasons[at] : outcome.reason, attempt);
        break;
      case Verdict::kMisconfigured: attempt.verdict = Verdict::kMisconfigured; [[fallthrough]];
      default:
        if (attempt.verdict != Verdict::kMisconfigured) attempt.verdict = Verdict::kRetry;
        if (!left.empty() && left.back().first + left.back().count == item) {
          ++left.back().count;
        } else {
          left.push_back({.first = item, .count = 1});
        }
    }
  }
  for (auto it = left.rbegin(); it != left.rend(); ++it) again(*it);
}

/// One verdict for all of them; false: stopped.
bool Delivery::take_all(const Batch& batch, Span span, const Outcome& outcome, Attempt& attempt) {
  const auto halve = [&] {
    const std::size_t half = span.count / 2;
    again({.first = span.first + half, .count = span.count - half});
    again({.first = span.first, .count = half});
  };
  switch (outcome.verdict) {
    case Verdict::kStopped: return false;
    case Verdict::kAlreadyThere: attempt.repeated = span.count; [[fallthrough]];
    case Verdict::kDelivered: attempt.delivered = span.count; return true;
    case Verdict::kRetry:
    case Verdict::kMisconfigured: again(span); return true;
    case Verdict::kTooLarge:
    case Verdict::kBisect:
      if (span.count > 1) {
        halve();
        return true;
      }
      [[fallthrough]];
    case Verdict::kRefused:
      attempt.verdict = Verdict::kRefused;
      for (std::size_t at = 0; at < span.count; ++at) refuse(batch, span.first + at, outcome.reason, attempt);
      return true;
  }
  return true;
}

}  // namespace flowtally::sink
