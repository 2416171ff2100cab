#include "sink/kafka_producer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace flowtally::sink {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view kSchema = "1";
/// What librdkafka may hold at once; with more, send() waits for reports first.
constexpr std::size_t kWaitingMax = 50'000;
constexpr milliseconds kLook{50};  ///< how often a stop is looked for
/// How long purged messages may take to be reported.
constexpr milliseconds kPurge{50};

rd_kafka_vu_t header(const char* name, std::string_view value) {
  rd_kafka_vu_t part{};
  part.vtype = RD_KAFKA_VTYPE_HEADER;
  part.u.header.name = name;
  part.u.header.val = value.data();
  part.u.header.size = static_cast<ssize_t>(value.size());
  return part;
}

rd_kafka_vu_t bytes(rd_kafka_vtype_t type, std::string_view value) {
  rd_kafka_vu_t part{};
  part.vtype = type;
  // librdkafka takes void* and does not write: without RD_KAFKA_MSG_F_FREE the memory stays ours.
  part.u.mem.ptr = const_cast<char*>(value.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  part.u.mem.size = value.size();
  return part;
}

bool is_size(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || error == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

}  // namespace

Verdict kafka_verdict(rd_kafka_resp_err_t error) noexcept {
  switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return Verdict::kDelivered;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP: return Verdict::kRefused;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION: return Verdict::kMisconfigured;
    default: return Verdict::kRetry;
  }
}

KafkaProducer::KafkaProducer(KafkaConfig config, ItemId item_id)
    : config_(std::move(config)), item_id_(item_id) {
  ::rd_kafka_conf_set_dr_msg_cb(config_.conf.get(), &KafkaProducer::on_report);
  ::rd_kafka_conf_set_error_cb(config_.conf.get(), &KafkaProducer::on_error);
  // Else librdkafka writes to stderr.
  ::rd_kafka_conf_set_log_cb(config_.conf.get(), [](const rd_kafka_t*, int, const char*, const char*) {});
  ::rd_kafka_conf_set_opaque(config_.conf.get(), this);
}

KafkaProducer::~KafkaProducer() = default;

ReceiverTraits KafkaProducer::traits() const {
  return {.items_max = 10'000, .item_bytes_max = config_.message_bytes_max};
}

Outcome KafkaProducer::send(const Batch& batch, std::size_t first, std::size_t count,
                            const std::stop_token& stop) {
  if (std::string why = open(); !why.empty())
    return {.verdict = Verdict::kMisconfigured, .reason = std::move(why)};
  reports_.assign(count, {});
  waiting_ = 0;
  answered_ = 0;
  stop_ = &stop;
  deadline_ = steady_clock::now() + config_.timeout;
  failure_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  failure_text_.clear();

  produce_all(batch, first, count);
  const bool all = wait_below(1);
  // The texts are the batch's, so nothing of librdkafka's may look at them once this returns; and a fatal
  // error ends a producer for good.
  if (!all || fatal_) give_up();
  return outcome_of(batch, first);  // with reports that came with the purge
}

std::string KafkaProducer::open() {
  if (handle_) return {};
  fatal_ = false;
  std::array<char, 512> why{};
  KafkaConf conf(::rd_kafka_conf_dup(config_.conf.get()));
  handle_.reset(::rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), why.data(), why.size()));
  if (!handle_) return fmt::format("Kafka: {}", why.data());
  static_cast<void>(conf.release());  // the handle's now
  return {};
}

void KafkaProducer::produce_all(const Batch& batch, std::size_t first, std::size_t count) {
  for (std::size_t at = 0; at < count; ++at) {
    Report& report = reports_[at];
    if (waiting_ >= kWaitingMax && !wait_below(kWaitingMax)) return;
    rd_kafka_resp_err_t error = produce(batch, batch.items[first + at], report);
    while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL && waiting_ > 0) {
      if (!wait_below(waiting_)) return;
      error = produce(batch, batch.items[first + at], report);
    }
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++waiting_;
    } else {
      report.error = error;
      if (error == RD_KAFKA_RESP_ERR__FATAL) fatal_ = true;
      if (kafka_verdict(error) != Verdict::kRefused) return;  // the others would fare no better
    }
  }
}

rd_kafka_resp_err_t KafkaProducer::produce(const Batch& batch, const Item& item, Report& report) {
  constexpr std::int64_t kMillisecond = 1'000'000;
  const std::string id = item_id_(batch, item);
  rd_kafka_vu_t topic{};
  topic.vtype = RD_KAFKA_VTYPE_TOPIC;
  topic.u.cstr = config_.topic.c_str();
  rd_kafka_vu_t time{};
  time.vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  time.u.i64 = item.time_ns / kMillisecond;
  rd_kafka_vu_t opaque{};
  opaque.vtype = RD_KAFKA_VTYPE_OPAQUE;
  opaque.u.ptr = &report;

  std::array<rd_kafka_vu_t, 8> parts = {topic,
                                        bytes(RD_KAFKA_VTYPE_VALUE, batch.text_of(item)),
                                        time,
                                        opaque,
                                        header("content-type", "application/json"),
                                        header("flowtally-schema", kSchema),
                                        header("flowtally-id", id),
                                        bytes(RD_KAFKA_VTYPE_KEY, batch.node_id)};
  const std::size_t count = batch.node_id.empty() ? parts.size() - 1 : parts.size();
  rd_kafka_error_t* const failed = ::rd_kafka_produceva(handle_.get(), parts.data(), count);
  if (failed == nullptr) return RD_KAFKA_RESP_ERR_NO_ERROR;
  const rd_kafka_resp_err_t code = ::rd_kafka_error_code(failed);
  ::rd_kafka_error_destroy(failed);
  return code;
}

bool KafkaProducer::wait_below(std::size_t waiting) {
  while (waiting_ >= waiting) {
    if (stop_->stop_requested() || fatal_ || steady_clock::now() >= deadline_) return false;
    // We are refused, and no message was taken: the rest of the time would pass for nothing.
    if (answered_ == 0 && kafka_verdict(failure_) == Verdict::kMisconfigured) return false;
    ::rd_kafka_poll(handle_.get(), static_cast<int>(kLook.count()));
  }
  return true;
}

void KafkaProducer::give_up() {
  ::rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  const auto end = steady_clock::now() + kPurge;
  while (waiting_ > 0 && steady_clock::now() < end) ::rd_kafka_poll(handle_.get(), 10);
  handle_.reset();
}

void KafkaProducer::on_report(rd_kafka_t* /*handle*/, const rd_kafka_message_t* message, void* self) {
  auto* const producer = static_cast<KafkaProducer*>(self);
  *static_cast<Report*>(message->_private) = {.error = message->err, .of_broker = true};
  --producer->waiting_;
  ++producer->answered_;
}

void KafkaProducer::on_error(rd_kafka_t* handle, int error, const char* reason, void* self) {
  auto* const producer = static_cast<KafkaProducer*>(self);
  auto code = static_cast<rd_kafka_resp_err_t>(error);
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> why{};
    code = ::rd_kafka_fatal_error(handle, why.data(), why.size());
    producer->fatal_ = true;
    producer->failure_ = code;
    producer->failure_text_ = fmt::format("{}: {}", ::rd_kafka_err2name(code), why.data());
    return;
  }
  // That all brokers are down says less than what was said of one of them.
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !producer->failure_text_.empty()) return;
  if (kafka_verdict(producer->failure_) == Verdict::kMisconfigured) return;
  producer->failure_ = code;
  producer->failure_text_ = fmt::format("{}: {}", ::rd_kafka_err2name(code), reason);
}

Outcome KafkaProducer::outcome_of(const Batch& batch, std::size_t first) const {
  Outcome outcome{.verdict = Verdict::kDelivered, .requests = 1};
  const Verdict unanswered =
      kafka_verdict(failure_) == Verdict::kMisconfigured ? Verdict::kMisconfigured : Verdict::kRetry;
  outcome.items.reserve(reports_.size());
  for (std::size_t at = 0; at < reports_.size(); ++at) {
    const rd_kafka_resp_err_t error = reports_[at].error;
    // These come of our own giving up and say nothing.
    const bool unknown = error == RD_KAFKA_RESP_ERR__IN_PROGRESS || error == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
                         error == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
    const Verdict verdict = unknown ? unanswered : kafka_verdict(error);
    // The broker refuses messages by the batch that librdkafka made of them: one of those may be at fault.
    if (verdict == Verdict::kRefused && reports_[at].of_broker && reports_.size() > 1)
      return {.verdict = is_size(error) ? Verdict::kTooLarge : Verdict::kBisect,
              .reason = ::rd_kafka_err2str(error),
              .requests = 1};
    outcome.items.push_back(verdict);
    if (verdict == Verdict::kDelivered) {
      outcome.bytes += batch.items[first + at].size;
      continue;
    }
    if (verdict == Verdict::kRefused) outcome.reasons.resize(reports_.size());
    if (verdict == Verdict::kRefused) outcome.reasons[at] = ::rd_kafka_err2str(error);
    if (outcome.verdict == Verdict::kDelivered || outcome.reason.empty()) {
      outcome.verdict = verdict;
      if (!unknown)
        outcome.reason = fmt::format("{}: {}", ::rd_kafka_err2name(error), ::rd_kafka_err2str(error));
    }
  }
  outcome.bytes_sent = outcome.bytes;  // librdkafka does not say what it made of them
  if (outcome.verdict == Verdict::kDelivered) {
    outcome.items.clear();
  } else if (outcome.reason.empty()) {
    outcome.reason = failure_text_.empty() ? "no report of the broker in time" : failure_text_;
  }
  return outcome;
}

}  // namespace flowtally::sink
