#include "sink/syslog_receiver.hpp"

#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "sink/host_name.hpp"
#include "sink/syslog_message.hpp"
#include "sink/tcp_connection.hpp"

namespace flowtally::sink {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr int kFacilityMax = 23;
/// What every receiver of RFC 5424 takes, and what one message of ours may at most be.
constexpr std::uint64_t kMessageBytesMin = 480;
constexpr std::uint64_t kMessageBytesMax = std::uint64_t{16} << 20U;

class SyslogReceiver final : public Receiver {
 public:
  SyslogReceiver(const model::SyslogSettings& settings, model::LogType log_type,
                 TcpConnection::Options options)
      : form_(settings, log_type),
        bytes_max_(settings.message_bytes_max),
        timeout_(options.timeout),
        connection_(std::move(options)) {}

  [[nodiscard]] ReceiverTraits traits() const override { return {.item_bytes_max = bytes_max_}; }

  Outcome send(const Batch& batch, std::size_t first, std::size_t count,
               const std::stop_token& stop) override {
    const TcpConnection::Deadline deadline = std::chrono::steady_clock::now() + timeout_;
    if (const TcpEnd end = connection_.connect(deadline, stop); end != TcpEnd::kDone)
      return {.verdict = verdict_of(end), .reason = connection_.failure()};

    messages_.clear();
    ends_.clear();
    bool refused = false;
    for (std::size_t at = first; at < first + count; ++at) {
      refused = !form_.append(batch, batch.items[at], messages_) || refused;
      ends_.push_back(messages_.size());
    }
    const TcpEnd end = connection_.deliver(messages_, deadline, stop);
    Outcome outcome{.verdict = end == TcpEnd::kDone ? Verdict::kDelivered : verdict_of(end),
                    .reason = connection_.failure(),
                    .bytes = messages_.size(),
                    .bytes_sent = messages_.size(),
                    .requests = 1};
    if (refused || (end != TcpEnd::kDone && connection_.acknowledged() > 0)) judge_items(outcome);
    return outcome;
  }

 private:
  static Verdict verdict_of(TcpEnd end) {
    if (end == TcpEnd::kStopped) return Verdict::kStopped;
    return end == TcpEnd::kRefused ? Verdict::kMisconfigured : Verdict::kRetry;
  }

  /// An item with no message was too long; one that ends behind what is acknowledged is sent again.
  void judge_items(Outcome& outcome) const {
    const Verdict rest = outcome.verdict == Verdict::kStopped ? Verdict::kRetry : outcome.verdict;
    const std::uint64_t known =
        outcome.verdict == Verdict::kDelivered ? messages_.size() : connection_.acknowledged();
    outcome.reasons.resize(ends_.size());
    std::size_t begin = 0;
    for (std::size_t at = 0; at < ends_.size(); ++at) {
      if (ends_[at] == begin) {
        outcome.items.push_back(Verdict::kRefused);
        outcome.reasons[at] = fmt::format("the message would be longer than message_size, {}", bytes_max_);
      } else {
        outcome.items.push_back(ends_[at] <= known ? Verdict::kDelivered : rest);
      }
      begin = ends_[at];
    }
    if (outcome.verdict == Verdict::kStopped) outcome.verdict = rest;
    if (outcome.verdict == Verdict::kDelivered) outcome.reason = "some messages were too long";
  }

  const SyslogForm form_;
  const std::uint64_t bytes_max_;
  const std::chrono::milliseconds timeout_;
  TcpConnection connection_;
  std::string messages_{};
  std::vector<std::size_t> ends_{};  ///< of each item in `messages_`
};

}  // namespace

Result<std::unique_ptr<Receiver>> make_syslog_receiver(const model::SinkSettings& settings,
                                                       model::LogType log_type) {
  model::SyslogSettings syslog = std::get<model::SyslogSettings>(settings.receiver);
  const auto wrong = [](std::string what) {
    return fail(Error(ErrorCode::kInvalidArgument, std::move(what)));
  };
  auto address = parse_tcp_address(syslog.address);
  if (!address) return fail(std::move(address.error()).during("address"));
  if (syslog.facility < 0 || syslog.facility > kFacilityMax)
    return wrong(fmt::format("facility: {} is not 0 to {}", syslog.facility, kFacilityMax));
  if (syslog.message_bytes_max < kMessageBytesMin || syslog.message_bytes_max > kMessageBytesMax)
    return wrong(fmt::format("message_size: {} is not {} to {}", syslog.message_bytes_max, kMessageBytesMin,
                             kMessageBytesMax));
  if (settings.compression != model::Compression::kNone)
    return wrong("compression: syslog has none; choose none");
  for (const std::string* const file :
       {&settings.tls.ca_file, &settings.tls.cert_file, &settings.tls.key_file}) {
    if (!file->empty() && ::access(file->c_str(), R_OK) != 0)
      return fail(Error::from_errno(errno, fmt::format("read {}", *file)));
  }
  if (syslog.host_name.empty()) syslog.host_name = host_name();
  return std::make_unique<SyslogReceiver>(syslog, log_type,
                                          TcpConnection::Options{.address = std::move(*address),
                                                                 .tls = syslog.tls,
                                                                 .tls_settings = settings.tls,
                                                                 .timeout = settings.retry.request_timeout});
}

}  // namespace flowtally::sink
