#include "identity/read_schedule.hpp"

#include <algorithm>

namespace flowtally::identity {

std::chrono::milliseconds Backoff::next() {
  const auto pause = pause_;
  pause_ = std::min(pause_ * 2, kBackoffMax);
  std::uniform_int_distribution<std::int64_t> jitter(-pause.count() / 4, pause.count() / 4);
  return pause + std::chrono::milliseconds(jitter(random_));
}

ReadSchedule::Clock::time_point ReadSchedule::earliest() const noexcept {
  if (!last_begin_) return Clock::time_point::min();
  const Clock::duration share = std::min<Clock::duration>(last_duration_ * kReadGapPerDuration, limits_.poll);
  return *last_begin_ + std::max<Clock::duration>(limits_.gap_min, share);
}

void ReadSchedule::want(Clock::time_point when) { wanted_ = wanted_ ? std::min(*wanted_, when) : when; }

void ReadSchedule::changed(Clock::time_point now) { want(now + limits_.settle); }

ReadSchedule::Clock::time_point ReadSchedule::force(Clock::time_point now) {
  want(last_forced_ ? std::max(now, *last_forced_ + limits_.forced_gap_min) : now);
  forced_ = true;
  return due();
}

void ReadSchedule::began(Clock::time_point now) {
  wanted_.reset();
  if (forced_) last_forced_ = now;
  forced_ = false;
  last_begin_ = now;
  regular_ = now + limits_.poll;
}

void ReadSchedule::ended(Clock::time_point now, bool ok) {
  if (last_begin_) last_duration_ = now - *last_begin_;
  if (ok) {
    backoff_.reset();
    regular_ = std::max(regular_, now);
  } else {
    regular_ = now + std::min(backoff_.next(), limits_.poll);
  }
}

ReadSchedule::Clock::time_point ReadSchedule::due() const noexcept {
  return wanted_ ? std::min(regular_, std::max(*wanted_, earliest())) : regular_;
}

}  // namespace flowtally::identity
