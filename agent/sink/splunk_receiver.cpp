#include "sink/splunk_receiver.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "sink/hec_answer.hpp"
#include "sink/hec_event.hpp"
#include "sink/http_sender.hpp"
#include "sink/pause.hpp"
#include "sink/url.hpp"

namespace flowtally::sink {
namespace {

constexpr std::string_view kEventPath = "/services/collector/event";
constexpr std::string_view kAckPath = "/services/collector/ack";
/// Splunk Cloud advises 1 MB before compression.
constexpr std::uint64_t kBytesMax = 900'000;
/// Until an acknowledgement; then the batch is sent again.
constexpr std::chrono::seconds kAckTime{300};
constexpr std::chrono::milliseconds kAckPauseMax{5000};

/// A GUID of version 4: RFC 9562.
std::string new_channel() {
  std::random_device random;
  std::array<std::uint32_t, 4> words{};
  for (std::uint32_t& word : words) word = random();
  words[1] = (words[1] & 0xffff0fffU) | 0x4000U;
  words[2] = (words[2] & 0x3fffffffU) | 0x80000000U;
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:04x}{:08x}", words[0], words[1] >> 16U,
                     words[1] & 0xffffU, words[2] >> 16U, words[2] & 0xffffU, words[3]);
}

class SplunkReceiver final : public Receiver {
 public:
  SplunkReceiver(HttpSender sender, HttpRequest request, std::string members, std::string ack_url)
      : sender_(std::move(sender)),
        request_(std::move(request)),
        members_(std::move(members)),
        ack_url_(std::move(ack_url)) {}

  [[nodiscard]] ReceiverTraits traits() const override {
    return {.items_max = 10'000, .bytes_max = kBytesMax, .item_bytes_max = kBytesMax};
  }

  [[nodiscard]] Outcome send(const Batch& batch, std::size_t first, std::size_t count,
                             const std::stop_token& stop) override {
    body_.clear();
    for (std::size_t at = first; at < first + count; ++at) {
      append_hec_event(batch, batch.items[at], members_, body_);
      body_ += '\n';
    }
    const std::string body = std::exchange(body_, {});  // goes with this call: others may wait long
    request_.body = body;
    const HttpAnswer answer = sender_.send(request_, stop);
    if (answer.stopped) return {.verdict = Verdict::kStopped};
    HecAnswer read = read_hec_answer(answer);
    Outcome outcome = hec_outcome(answer, read, count);
    outcome.bytes = body.size();
    outcome.bytes_sent = answer.bytes_sent;
    outcome.requests = 1;
    if (ack_url_.empty() || outcome.verdict != Verdict::kDelivered || !outcome.items.empty()) return outcome;
    if (!read.ack_id) {
      outcome.verdict = Verdict::kMisconfigured;
      outcome.reason = "the answer has no ackId: is indexer acknowledgement on for this token?";
      return outcome;
    }
    wait_for_index(*read.ack_id, stop, outcome);
    return outcome;
  }

 private:
  /// A 200 only says that the events were read; this, that they are in the index.
  void wait_for_index(std::uint64_t id, const std::stop_token& stop, Outcome& outcome) {
    HttpRequest question = request_;
    question.url = ack_url_;
    question.compression = model::Compression::kNone;
    const std::string body = fmt::format("{{\"acks\":[{}]}}", id);
    question.body = body;
    const auto deadline = std::chrono::steady_clock::now() + kAckTime;
    for (std::chrono::milliseconds wait{100}; std::chrono::steady_clock::now() < deadline;
         wait = std::min(wait * 2, kAckPauseMax)) {
      if (!pause(wait, stop)) {
        outcome.verdict = Verdict::kStopped;
        return;
      }
      const HttpAnswer answer = sender_.send(question, stop);
      ++outcome.requests;
      if (answer.stopped) {
        outcome.verdict = Verdict::kStopped;
        return;
      }
      // What is true is told once only; what cannot be read is asked again.
      if (answer.status == 200 && is_acknowledged(answer.body, id)) return;
    }
    outcome.verdict = Verdict::kRetry;
    outcome.reason = fmt::format("no acknowledgement within {} s; sent again", kAckTime.count());
  }

  HttpSender sender_;
  HttpRequest request_;
  std::string members_;
  std::string ack_url_;  ///< empty: nobody waits for the index
  std::string body_;
};

}  // namespace

base::Result<std::unique_ptr<Receiver>> make_splunk_receiver(const model::SinkSettings& settings,
                                                             model::LogType log_type) {
  const auto& splunk = std::get<model::SplunkSettings>(settings.receiver);
  auto url = url_with_path(splunk.url, kEventPath);
  if (!url) return base::fail(std::move(url.error()));
  HttpRequest request{.url = std::move(*url), .compression = settings.compression};
  request.headers.push_back(splunk.user.empty() ? "Authorization: Splunk " + splunk.token.reveal()
                                                : basic_authorization(splunk.user, splunk.token.reveal()));
  request.headers.emplace_back("Content-Type: application/json");
  std::string ack_url;
  if (splunk.acknowledge) {
    const std::string channel = new_channel();
    request.headers.push_back("X-Splunk-Request-Channel: " + channel);
    ack_url = request.url;
    ack_url.replace(ack_url.find(kEventPath), kEventPath.size(), kAckPath);
    ack_url += (ack_url.find('?') == std::string::npos ? "?channel=" : "&channel=") + channel;
  }
  if (settings.compression == model::Compression::kZstd) {
    return base::fail(base::Error(base::ErrorCode::kInvalidArgument, "Splunk takes gzip, not zstd"));
  }
  auto sender = HttpSender::open({.tls = settings.tls, .timeout = settings.retry.request_timeout});
  if (!sender) return base::fail(std::move(sender.error()));
  return std::make_unique<SplunkReceiver>(std::move(*sender), std::move(request),
                                          hec_members(splunk, log_type), std::move(ack_url));
}

}  // namespace flowtally::sink
