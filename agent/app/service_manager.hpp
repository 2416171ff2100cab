// This file talks to systemd, where it started us and wants to know (sd_notify(3)). Elsewhere it does
// nothing.
#pragma once

#include <chrono>
#include <string>

namespace flowtally::app {

/// Not thread-safe.
class ServiceManager {
 public:
  ServiceManager();

  /// It counts, or waits for its interface, and answers.
  void ready() const;
  void stopping() const;
  /// The agent's loop has come by: tells the watchdog, where there is one, at most four times in its time.
  void alive();
  /// The loop has to come by that often; none: whenever it likes.
  [[nodiscard]] std::chrono::milliseconds alive_every() const noexcept { return alive_every_; }

 private:
  std::chrono::milliseconds alive_every_{0};
  std::chrono::steady_clock::time_point told_{};
};

}  // namespace flowtally::app
