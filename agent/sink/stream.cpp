#include "sink/stream.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "journal/cursor_store.hpp"
#include "journal/reader.hpp"
#include "sink/batch_source.hpp"
#include "sink/delivery.hpp"
#include "sink/pause.hpp"

namespace flowtally::sink {
namespace {

using base::fail;
using model::SinkState;
using std::chrono::milliseconds;

/// Before the cursor, or a dead letter, is tried again on a disk that takes nothing.
constexpr milliseconds kDiskWait{1000};
constexpr double kRateSeconds = 60;

/// A moving average per second, over a minute or so.
class Rate {
 public:
  void add(double count, std::int64_t boot_ns) {
    decay(boot_ns);
    value_ += count / kRateSeconds;
  }
  [[nodiscard]] double at(std::int64_t boot_ns) const { return value_ * factor(boot_ns); }

 private:
  [[nodiscard]] double factor(std::int64_t boot_ns) const {
    return std::exp(-static_cast<double>(boot_ns - latest_ns_) / 1e9 / kRateSeconds);
  }
  void decay(std::int64_t boot_ns) {
    value_ *= factor(boot_ns);
    latest_ns_ = boot_ns;
  }
  double value_ = 0;
  std::int64_t latest_ns_ = 0;
};

BatchLimits limits_of(const model::SinkSettings& settings, const ReceiverTraits& traits) {
  BatchLimits limits{.items_max = traits.items_max, .bytes_max = traits.bytes_max};
  if (settings.batch.items_max > 0) limits.items_max = std::min(limits.items_max, settings.batch.items_max);
  if (settings.batch.bytes_max > 0) limits.bytes_max = std::min(limits.bytes_max, settings.batch.bytes_max);
  limits.age_max = traits.age.count() > 0 ? traits.age : settings.batch.age_max;
  return limits;
}

}  // namespace

struct Stream::Inner {
  Inner(StreamOptions given, std::unique_ptr<Receiver> to)
      : options(std::move(given)),
        receiver(std::move(to)),
        cursors(journal::posix_file_system(), options.journal_directory),
        letters(sink_folder(options.state_dir, options.settings.name), options.settings.name),
        delivery(
            *receiver, Backoff(options.settings.retry, system_random()),
            [this](const Attempt& attempt) { take(attempt); },
            [this](milliseconds time) { return pause(time, stopping); }) {
    status.sink = options.settings.name;
    status.kind = model::kind_of(options.settings.receiver);
    status.log_type = options.log_type;
  }

  [[nodiscard]] base::Status begin();
  [[nodiscard]] base::Result<journal::JournalReader> open_at_cursor();
  void run(const std::stop_token& stop);
  [[nodiscard]] bool finish(const Filled& filled);
  [[nodiscard]] bool until_written(const std::function<base::Status()>& write);
  void take(const Attempt& attempt);
  void enter(SinkState state, const std::string& failure);
  void source_failed(const std::string& failure);

  // of the stream's thread
  StreamOptions options;
  std::unique_ptr<Receiver> receiver;
  journal::CursorStore cursors;
  DeadLetters letters;
  Delivery delivery;
  std::unique_ptr<BatchSource> source{};
  std::stop_token stopping{};

  mutable std::mutex mutex{};
  model::SinkStatus status{};  ///< guarded by mutex, as what follows
  Rate bytes{}, items{}, requests{}, retries{};

  std::jthread thread{};  ///< the last member: it ends first
};

/// Where the cursor stands, or where the settings say that a new one begins.
base::Result<journal::JournalReader> Stream::Inner::open_at_cursor() {
  auto reader = journal::JournalReader::open(options.journal_directory);
  if (!reader) return fail(std::move(reader.error()));
  auto cursor = cursors.load(options.settings.name);
  if (!cursor && cursor.error().code() != base::ErrorCode::kCorrupt) return fail(std::move(cursor.error()));
  if (!cursor) {
    status.failure = cursor.error().text() + "; beginning with the oldest record";
  } else if (*cursor) {
    const auto sought = reader->seek(**cursor);
    if (!sought && sought.error().code() != base::ErrorCode::kInvalidArgument) return fail(sought.error());
    // Behind the journal's end: it is another one than the cursor is of.
    if (!sought) status.failure = "the journal is another one than before; beginning with its oldest record";
  } else if (options.settings.start == model::StartAt::kNewest) {
    if (auto sought = reader->seek_end(); !sought) return fail(std::move(sought.error()));
    // So that what comes until the first batch is not passed over by a restart.
    if (auto saved = cursors.save(options.settings.name, reader->position()); !saved)
      return fail(std::move(saved.error()));
  }
  return reader;
}

base::Status Stream::Inner::begin() {
  auto maker = BatchMaker::make(options.settings, options.log_type);
  if (!maker) return fail(std::move(maker.error()));
  auto reader = open_at_cursor();
  if (!reader) return fail(std::move(reader.error()).during("begin sink " + options.settings.name));
  status.next = reader->position();
  auto made = BatchSource::start(std::move(*reader), std::move(*maker),
                                 limits_of(options.settings, receiver->traits()),
                                 [this](const std::string& failure) { source_failed(failure); });
  if (!made) return fail(std::move(made.error()));
  source = std::move(*made);
  thread = std::jthread([this](const std::stop_token& stop) { run(stop); });
  return {};
}

void Stream::Inner::run(const std::stop_token& stop) {
  stopping = stop;
  while (auto filled = source->take(stop)) {
    {
      const std::scoped_lock lock(mutex);
      if (status.state == SinkState::kIdle) status.state = SinkState::kSending;
    }
    if (!delivery.deliver(filled->batch, stop)) break;
    if (!finish(*filled)) break;
    source->give_back(std::move(filled->batch));
  }
  enter(SinkState::kStopped, {});
}

/// Everything of the batch is delivered or refused: what was refused is written down, then the cursor moves.
bool Stream::Inner::finish(const Filled& filled) {
  std::vector<DeadLetter> refused = delivery.refused();
  for (const DeadLetter& letter : filled.unreadable) {
    refused.push_back(letter);
    refused.back().log_type = options.log_type;
  }
  if (!until_written([&] { return letters.append(refused); })) return false;
  if (!until_written([&] { return cursors.save(options.settings.name, filled.batch.next); })) return false;
  const base::Moment now = base::now();
  {
    const std::scoped_lock lock(mutex);
    status.next = filled.batch.next;
    status.records += filled.records;
    status.filtered_items += filled.filtered;
    status.unreadable_records += filled.unreadable.size();
    status.lost_records += filled.lost;
    status.delivered_at = now;
    if (filled.end_ns != 0) status.delivered_end_ns = filled.end_ns;
  }
  enter(SinkState::kIdle, {});
  return true;
}

/// Tries until the disk takes it; false: the stop came.
bool Stream::Inner::until_written(const std::function<base::Status()>& write) {
  for (;;) {
    const auto written = write();
    if (written) return true;
    enter(SinkState::kRetrying, written.error().text());
    if (!pause(kDiskWait, stopping)) return false;
  }
}

void Stream::Inner::take(const Attempt& attempt) {
  const std::int64_t now_ns = base::now().boot_ns;
  const bool failed = attempt.verdict == Verdict::kRetry || attempt.verdict == Verdict::kMisconfigured;
  {
    const std::scoped_lock lock(mutex);
    status.items += attempt.delivered;
    status.repeated_items += attempt.repeated;
    status.refused_items += attempt.refused;
    if (attempt.delivered > 0) status.bytes += attempt.bytes;
    status.bytes_sent += attempt.bytes_sent;
    status.body_bytes_max = std::max(status.body_bytes_max, attempt.bytes_sent);
    status.requests += attempt.requests;
    if (failed) ++status.retries;
    bytes.add(static_cast<double>(attempt.delivered > 0 ? attempt.bytes : 0), now_ns);
    items.add(static_cast<double>(attempt.delivered), now_ns);
    requests.add(static_cast<double>(attempt.requests), now_ns);
    retries.add(failed ? 1 : 0, now_ns);
  }
  source->hold(failed);
  if (attempt.verdict == Verdict::kRetry) enter(SinkState::kRetrying, attempt.reason);
  if (attempt.verdict == Verdict::kMisconfigured) enter(SinkState::kMisconfigured, attempt.reason);
  if (attempt.delivered > 0 && !failed) enter(SinkState::kSending, {});
  if (attempt.refused > 0) {
    const std::scoped_lock lock(mutex);
    status.failure = attempt.reason;
  }
}

void Stream::Inner::enter(SinkState state, const std::string& failure) {
  const auto failing = [](SinkState which) {
    return which == SinkState::kRetrying || which == SinkState::kMisconfigured;
  };
  model::SinkStatus told;
  {
    const std::scoped_lock lock(mutex);
    const SinkState before = std::exchange(status.state, state);
    if (!failure.empty()) status.failure = failure;
    if (failing(state) && !status.failing_since) status.failing_since = base::now();
    if (!failing(state) && state != SinkState::kStopped) status.failing_since.reset();
    if (before == state || (!failing(before) && !failing(state)) || state == SinkState::kStopped) return;
    told = status;
  }
  if (options.changed) options.changed(told);
}

void Stream::Inner::source_failed(const std::string& failure) {
  if (!failure.empty()) enter(SinkState::kRetrying, failure);
}

Stream::Stream(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}

Stream::~Stream() {
  inner_->thread.request_stop();
  inner_->thread = {};
}

base::Result<std::unique_ptr<Stream>> Stream::start(StreamOptions options,
                                                    std::unique_ptr<Receiver> receiver) {
  auto inner = std::make_unique<Inner>(std::move(options), std::move(receiver));
  if (auto begun = inner->begin(); !begun) return fail(std::move(begun.error()));
  return std::unique_ptr<Stream>(new Stream(std::move(inner)));
}

model::SinkStatus Stream::status() const {
  const std::int64_t now_ns = base::now().boot_ns;
  const std::scoped_lock lock(inner_->mutex);
  model::SinkStatus status = inner_->status;
  status.bytes_per_second = inner_->bytes.at(now_ns);
  status.items_per_second = inner_->items.at(now_ns);
  status.requests_per_second = inner_->requests.at(now_ns);
  status.retries_per_second = inner_->retries.at(now_ns);
  return status;
}

}  // namespace flowtally::sink
