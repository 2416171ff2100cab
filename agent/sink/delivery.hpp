// This file sends one batch until each of its items is delivered or refused for good: halves what is too
// large, bisects what is refused as a whole, sends again what the receiver did not take, waits in between.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "sink/backoff.hpp"
#include "sink/batch.hpp"
#include "sink/dead_letters.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

/// What came of one request, or of several that one send() made.
struct Attempt {
  Verdict verdict = Verdict::kDelivered;  ///< the worst of what the items got
  std::uint64_t delivered = 0;            ///< items, those that were there already included
  std::uint64_t repeated = 0;             ///< of them, there already
  std::uint64_t refused = 0;
  std::uint64_t bytes = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t requests = 0;
  std::string reason{};
};

class Delivery {
 public:
  /// `tell` is called after each attempt; `wait` waits and is false where the stop came first. The receiver
  /// must outlive it.
  Delivery(Receiver& receiver, Backoff backoff, std::function<void(const Attempt&)> tell,
           std::function<bool(std::chrono::milliseconds)> wait)
      : receiver_(receiver), backoff_(std::move(backoff)), tell_(std::move(tell)), wait_(std::move(wait)) {}

  /// False: the stop came, and nothing is known of what is left. Refused items are in refused().
  [[nodiscard]] bool deliver(const Batch& batch, const std::stop_token& stop);
  /// Of the latest batch.
  [[nodiscard]] const std::vector<DeadLetter>& refused() const noexcept { return refused_; }

 private:
  struct Span {
    std::size_t first = 0;
    std::size_t count = 0;
  };
  [[nodiscard]] bool send(const Batch& batch, Span span, const std::stop_token& stop);
  void take_items(const Batch& batch, Span span, const Outcome& outcome, Attempt& attempt);
  [[nodiscard]] bool take_all(const Batch& batch, Span span, const Outcome& outcome, Attempt& attempt);
  void refuse(const Batch& batch, std::size_t item, const std::string& reason, Attempt& attempt);
  void again(Span span) { todo_.push_back(span); }

  Receiver& receiver_;
  Backoff backoff_;
  std::function<void(const Attempt&)> tell_;
  std::function<bool(std::chrono::milliseconds)> wait_;
  std::vector<Span> todo_{};  ///< the next one is the last, so that items go in their order
  std::vector<DeadLetter> refused_{};
};

}  // namespace flowtally::sink
