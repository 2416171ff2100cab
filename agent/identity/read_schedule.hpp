// This file decides when tailscaled is asked next. It is asked at once at the start; soon after its bus said
// that something changed; when somebody met an address that is nobody's; at a steady interval besides; and
// after a failure at growing ones. However often something changes, reading takes a bounded share of
// tailscaled's time. Pure: time comes as an argument.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

namespace flowtally::identity {

/// The backstop: which endpoint a peer is at changes without a message.
inline constexpr std::chrono::milliseconds kPollInterval{30'000};
/// From the first message of a change to the read: changes come in bursts.
inline constexpr std::chrono::milliseconds kSettle{300};
/// Between the beginnings of two reads, whoever asks for them.
inline constexpr std::chrono::milliseconds kReadGapMin{1'000};
/// And so many times as long as the last read took: at 10,000 peers an answer has many megabytes.
inline constexpr int kReadGapPerDuration = 10;
/// Between the beginnings of two reads that refresh() asked for; who asks in vain paces himself.
inline constexpr std::chrono::milliseconds kForcedGapMin{1'000};
/// Between a failure and the next try: doubled each time, with a jitter of a quarter either way.
inline constexpr std::chrono::milliseconds kBackoffMin{250};
inline constexpr std::chrono::milliseconds kBackoffMax{15'000};

/// Doubles from kBackoffMin to kBackoffMax.
class Backoff {
 public:
  explicit Backoff(std::uint32_t seed) : random_(seed) {}
  [[nodiscard]] std::chrono::milliseconds next();
  void reset() noexcept { pause_ = kBackoffMin; }

 private:
  std::chrono::milliseconds pause_ = kBackoffMin;
  std::minstd_rand random_;
};

/// Not thread-safe.
class ReadSchedule {
 public:
  using Clock = std::chrono::steady_clock;

  struct Limits {
    std::chrono::milliseconds poll = kPollInterval;
    std::chrono::milliseconds settle = kSettle;
    std::chrono::milliseconds gap_min = kReadGapMin;
    std::chrono::milliseconds forced_gap_min = kForcedGapMin;
  };

  ReadSchedule(Limits limits, std::uint32_t seed) : limits_(limits), backoff_(seed) {}

  /// Something changed: a read soon.
  void changed(Clock::time_point now);
  /// Somebody wants a newer answer: a read as soon as may be. Gives the moment.
  Clock::time_point force(Clock::time_point now);

  void began(Clock::time_point now);
  void ended(Clock::time_point now, bool ok);

  /// When the next read is to begin; the clock's lowest value before the first. While a read runs that is the
  /// one after it.
  [[nodiscard]] Clock::time_point due() const noexcept;

 private:
  void want(Clock::time_point when);
  [[nodiscard]] Clock::time_point earliest() const noexcept;

  Limits limits_;
  Backoff backoff_;
  Clock::time_point regular_ = Clock::time_point::min();
  std::optional<Clock::time_point> wanted_{};
  bool forced_ = false;  ///< the next read will be one that was forced
  std::optional<Clock::time_point> last_begin_{};
  std::optional<Clock::time_point> last_forced_{};
  Clock::duration last_duration_{};
};

}  // namespace flowtally::identity
