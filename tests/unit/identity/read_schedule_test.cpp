#include "identity/read_schedule.hpp"

#include "support/catch.hpp"

namespace flowtally::identity {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using Clock = ReadSchedule::Clock;

const Clock::time_point kStart{1'000'000s};

/// A schedule after a first read that took no time.
ReadSchedule started(const ReadSchedule::Limits& limits = {}) {
  ReadSchedule schedule(limits, 1);
  schedule.began(kStart);
  schedule.ended(kStart, true);
  return schedule;
}

TEST_CASE("the first read is at once, the next one after the poll interval", "[unit]") {
  ReadSchedule schedule({}, 1);
  CHECK(schedule.due() <= kStart);
  schedule.began(kStart);
  CHECK(schedule.due() == kStart + kPollInterval);
  schedule.ended(kStart + 1s, true);
  CHECK(schedule.due() == kStart + kPollInterval);
}

TEST_CASE("a change is read soon, and further changes do not put it off", "[unit]") {
  ReadSchedule schedule = started();
  schedule.changed(kStart + 10s);
  CHECK(schedule.due() == kStart + 10s + kSettle);
  schedule.changed(kStart + 10s + kSettle / 2);
  CHECK(schedule.due() == kStart + 10s + kSettle);
  schedule.began(kStart + 11s);
  schedule.ended(kStart + 11s, true);
  CHECK(schedule.due() == kStart + 11s + kPollInterval);
}

TEST_CASE("a change during a read is read after it", "[unit]") {
  ReadSchedule schedule = started();
  schedule.began(kStart + 10s);
  schedule.changed(kStart + 10s + 1ms);
  schedule.ended(kStart + 10s + 2ms, true);
  CHECK(schedule.due() == kStart + 10s + kReadGapMin);
}

TEST_CASE("slow answers are asked for less often", "[unit]") {
  ReadSchedule schedule = started();
  schedule.began(kStart + 10s);
  schedule.ended(kStart + 12s, true);
  schedule.changed(kStart + 12s);
  CHECK(schedule.due() == kStart + 10s + 2s * kReadGapPerDuration);
  schedule.began(kStart + 30s);
  schedule.ended(kStart + 55s, true);
  schedule.changed(kStart + 55s);
  CHECK(schedule.due() == kStart + 30s + kPollInterval);  // never less often than without a change
}

TEST_CASE("a forced read is at once, the next one after the gap", "[unit]") {
  ReadSchedule schedule = started();
  CHECK(schedule.force(kStart + 10s) == kStart + 10s);
  schedule.began(kStart + 10s);
  schedule.ended(kStart + 10s, true);
  CHECK(schedule.force(kStart + 10s + kForcedGapMin / 4) == kStart + 10s + kForcedGapMin);
  CHECK(schedule.force(kStart + 10s + kForcedGapMin / 2) == kStart + 10s + kForcedGapMin);
  schedule.began(kStart + 15s);
  schedule.ended(kStart + 15s, true);
  CHECK(schedule.force(kStart + 40s) == kStart + 40s);
}

TEST_CASE("a change is not held back by a forced read that has to wait", "[unit]") {
  ReadSchedule schedule = started({.forced_gap_min = 5s});
  schedule.force(kStart + 10s);
  schedule.began(kStart + 10s);
  schedule.ended(kStart + 10s, true);
  schedule.force(kStart + 11s);
  schedule.changed(kStart + 12s);
  CHECK(schedule.due() == kStart + 12s + kSettle);
}

TEST_CASE("failures are followed by growing pauses, with a jitter, up to a limit", "[unit]") {
  ReadSchedule schedule({}, 7);
  Clock::time_point now = kStart;
  auto pause = std::chrono::duration_cast<Clock::duration>(kBackoffMin);
  for (int failure = 0; failure < 12; ++failure) {
    schedule.began(now);
    schedule.ended(now, false);
    CHECK(schedule.due() - now >= pause * 3 / 4);
    CHECK(schedule.due() - now <= pause * 5 / 4);
    pause = std::min<Clock::duration>(pause * 2, kBackoffMax);
    now = schedule.due();
  }
  schedule.began(now);
  schedule.ended(now, true);
  CHECK(schedule.due() == now + kPollInterval);
  schedule.began(now);
  schedule.ended(now, false);
  CHECK(schedule.due() - now <= kBackoffMin * 5 / 4);
}

TEST_CASE("two agents do not keep step", "[unit]") {
  Backoff one(1);
  Backoff other(2);
  bool differs = false;
  for (int at = 0; at < 4; ++at) differs = one.next() != other.next() || differs;
  CHECK(differs);
}

}  // namespace
}  // namespace flowtally::identity
