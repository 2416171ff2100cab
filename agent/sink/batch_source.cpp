#include "sink/batch_source.hpp"

#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>
#include <variant>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.hpp"

namespace flowtally::sink {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Between looks at a journal in which nothing happens: appends are told of at once.
constexpr milliseconds kIdleWait{60'000};
/// After a failure to read.
constexpr milliseconds kFailureWait{1000};
/// A batch of records that make no items is handed on after so many, so that the place is saved.
constexpr std::uint64_t kRecordsMax = 20'000;

}  // namespace

base::Result<std::unique_ptr<BatchSource>> BatchSource::start(
    journal::JournalReader reader, BatchMaker maker, BatchLimits limits,
    std::function<void(const std::string&)> failed) {
  base::UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return base::fail(base::Error::from_errno(errno, "make an eventfd for a sink"));
  std::unique_ptr<BatchSource> source(
      new BatchSource(std::move(reader), std::move(maker), limits, std::move(wake), std::move(failed)));
  source->thread_ = std::jthread([self = source.get()](const std::stop_token& stop) { self->run(stop); });
  return source;
}

BatchSource::~BatchSource() {
  thread_.request_stop();
  static_cast<void>(::eventfd_write(wake_.get(), 1));
}

std::optional<Filled> BatchSource::take(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait(lock, stop, [this] { return filled_.has_value(); })) return std::nullopt;
  std::optional<Filled> taken = std::exchange(filled_, std::nullopt);
  changed_.notify_all();
  return taken;
}

void BatchSource::give_back(Batch batch) {
  batch.text.clear();
  batch.items.clear();
  const std::scoped_lock lock(mutex_);
  spare_ = std::move(batch);
}

void BatchSource::hold(bool held) {
  const std::scoped_lock lock(mutex_);
  held_ = held;
  changed_.notify_all();
}

/// False: the stop came, or what was forgotten could not be found again yet.
bool BatchSource::wait_for_room(const std::stop_token& stop) {
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [this] { return !filled_ || held_; })) return false;
    if (!filled_ && !held_) return true;
    if (!filled_) {
      if (!changed_.wait(lock, stop, [this] { return !held_; })) return false;
      continue;
    }
    const journal::Sequence first = filled_->batch.first;
    if (!reader_.seek(first)) {  // then it is kept: behind it the reader goes on
      if (!changed_.wait(lock, stop, [this] { return !held_; })) return false;
      continue;
    }
    filled_.reset();
    spare_ = {};
    maker_.forget_buffers();
  }
}

void BatchSource::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (!wait_for_room(stop)) continue;
    auto filled = fill(stop);
    if (!filled) continue;
    const std::scoped_lock lock(mutex_);
    filled_ = std::move(filled);
    changed_.notify_all();
  }
}

void BatchSource::tell(const std::string& failure) {
  if (failure.empty() && !std::exchange(failing_, false)) return;
  if (!failure.empty()) failing_ = true;
  failed_(failure);
}

/// Nothing: there is nothing yet, or the stop came.
std::optional<Filled> BatchSource::fill(const std::stop_token& stop) {
  Filled filled;
  {
    const std::scoped_lock lock(mutex_);
    filled.batch.text = std::exchange(spare_.text, {});
    filled.batch.items = std::exchange(spare_.items, {});
  }
  filled.batch.first = filled.batch.next = reader_.position();
  const std::uint64_t filtered_before = maker_.filtered();
  std::optional<Clock::time_point> due;  // once there is something
  while (!stop.stop_requested()) {
    const Batch& batch = filled.batch;
    if (batch.items.size() >= limits_.items_max || batch.text.size() >= limits_.bytes_max ||
        filled.records >= kRecordsMax) {
      break;
    }
    auto step = reader_.next();
    if (!step) {
      tell(step.error().text());
      if (due) break;
      pollfd wake{.fd = wake_.get(), .events = POLLIN, .revents = 0};
      ::poll(&wake, 1, static_cast<int>(kFailureWait.count()));
      return std::nullopt;
    }
    tell({});
    if (!std::holds_alternative<journal::AtEnd>(*step)) {
      if (!take_step(*step, filled)) break;
      if (!due) due = Clock::now() + limits_.age_max;
      continue;
    }
    const auto left = due ? std::chrono::ceil<milliseconds>(*due - Clock::now()) : kIdleWait;
    if (left.count() <= 0) break;
    static_cast<void>(reader_.wait(left, wake_.get()));
  }
  if (!due) return std::nullopt;
  filled.filtered = maker_.filtered() - filtered_before;
  return filled;
}

/// False: the batch is to end here.
bool BatchSource::take_step(const journal::Step& step, Filled& filled) {
  if (const auto* const gap = std::get_if<journal::Gap>(&step)) {
    filled.lost += gap->records.count;
    maker_.add_gap(*gap, base::now().wall_ns, filled.batch);
    return true;
  }
  const auto& record = std::get<journal::Record>(step);
  ++filled.records;
  if (record.end_ns != journal::kTimeUnknownEnd) filled.end_ns = record.end_ns;
  if (maker_.add(record, filled.batch)) return true;
  filled.unreadable.push_back({.item = {.sequence = record.sequence, .record = record_hash(record.line)},
                               .text = std::string(record.line.substr(0, record.line.find('\n'))),
                               .reason = "this line of the journal is no record"});
  filled.batch.next = record.sequence + 1;
  return true;
}

}  // namespace flowtally::sink
