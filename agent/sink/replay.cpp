#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sink/dead_letters.hpp"
#include "sink/delivery.hpp"

namespace flowtally::sink {
namespace {

/// Letters of one batch; small, so that an interrupted replay repeats little.
constexpr std::size_t kReplayItems = 500;

Batch batch_of(const std::vector<DeadLetter>& letters, std::size_t first, std::size_t count) {
  Batch batch{.log_type = letters[first].log_type};
  for (std::size_t at = first; at < first + count; ++at) {
    Item item = letters[at].item;
    item.at = batch.text.size();
    item.size = letters[at].text.size();
    batch.text += letters[at].text;
    batch.items.push_back(item);
  }
  return batch;
}

}  // namespace

base::Result<ReplayResult> replay(DeadLetters& letters, Receiver& receiver, model::LogType log_type,
                                  const std::stop_token& stop) {
  ReplayResult result;
  std::string failure;
  // Nobody waits here: what is not taken at once is kept for another time.
  Delivery delivery(
      receiver, Backoff({}, [] { return 0.0; }),
      [&](const Attempt& attempt) {
        if (attempt.verdict == Verdict::kRetry || attempt.verdict == Verdict::kMisconfigured)
          failure = attempt.reason;
        result.delivered += attempt.delivered;
        result.refused += attempt.refused;
      },
      [](std::chrono::milliseconds) { return false; });
  using Which = DeadLetters::Which;
  for (const Which which : {Which::kTaken, Which::kNow, Which::kBefore}) {
    auto taken = letters.take(which);
    if (!taken) return base::fail(std::move(taken.error()));
    std::vector<DeadLetter> kept;
    std::vector<DeadLetter> sent;
    for (DeadLetter& letter : *taken) {
      const bool ours = letter.whole && letter.log_type == log_type;
      (ours ? sent : kept).push_back(std::move(letter));
    }
    for (std::size_t first = 0; first < sent.size(); first += kReplayItems) {
      const std::size_t count = std::min(kReplayItems, sent.size() - first);
      const bool done = failure.empty() && delivery.deliver(batch_of(sent, first, count), stop);
      if (done) {
        kept.insert(kept.end(), delivery.refused().begin(), delivery.refused().end());
      } else {
        // Some of them may have arrived: with their ids that does no harm.
        kept.insert(kept.end(), sent.begin() + static_cast<std::ptrdiff_t>(first),
                    sent.begin() + static_cast<std::ptrdiff_t>(first + count));
      }
    }
    if (auto written = letters.append(kept); !written) return base::fail(std::move(written.error()));
    if (auto dropped = letters.drop_taken(); !dropped) return base::fail(std::move(dropped.error()));
  }
  if (!failure.empty()) {
    return base::fail(base::Error(base::ErrorCode::kIo, "the receiver does not take them now: " + failure)
                          .advise("What was not delivered is kept: try again"));
  }
  return result;
}

}  // namespace flowtally::sink
