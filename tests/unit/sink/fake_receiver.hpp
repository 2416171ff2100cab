// This file is a receiver for tests: it answers as it is told, and remembers what it took.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "sink/receiver.hpp"

namespace flowtally::test {

class FakeReceiver final : public sink::Receiver {
 public:
  using Answer = std::function<sink::Outcome(const std::vector<std::string>& texts)>;
  explicit FakeReceiver(Answer answer, sink::ReceiverTraits traits = {})
      : answer_(std::move(answer)), traits_(traits) {}

  [[nodiscard]] sink::ReceiverTraits traits() const override { return traits_; }
  [[nodiscard]] sink::Outcome send(const sink::Batch& batch, std::size_t first, std::size_t count,
                                   const std::stop_token&) override {
    std::vector<std::string> texts;
    for (std::size_t at = first; at < first + count; ++at) texts.emplace_back(batch.text_of(batch.items[at]));
    sizes.push_back(count);
    sink::Outcome outcome = answer_(texts);
    for (std::size_t at = 0; at < count; ++at) {
      const bool there = outcome.items.empty() ? outcome.verdict == sink::Verdict::kDelivered
                                               : outcome.items[at] == sink::Verdict::kDelivered;
      if (there) taken.push_back(texts[at]);
    }
    return outcome;
  }

  std::vector<std::string> taken;
  std::vector<std::size_t> sizes;  ///< of each request

 private:
  Answer answer_;
  sink::ReceiverTraits traits_;
};

/// A batch of these items.
[[nodiscard]] inline sink::Batch batch_of(const std::vector<std::string>& texts) {
  sink::Batch batch;
  for (const std::string& text : texts) {
    batch.items.push_back({.at = batch.text.size(),
                           .size = text.size(),
                           .sequence = batch.items.size() + 1,
                           .time_ns = 1'763'856'000'000'000'000});
    batch.text += text;
  }
  batch.next = texts.size() + 1;
  return batch;
}

}  // namespace flowtally::test
