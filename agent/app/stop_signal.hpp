// This file turns SIGINT, SIGTERM, SIGHUP and the end of a given time into a readable descriptor.
#pragma once

#include <chrono>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace flowtally::app {

/// Readable once a stop signal has come. From open() on these signals, and SIGALRM, do nothing else, in this
/// thread and in those that it starts later; SIGPIPE is ignored, so that a reader that went away is an error
/// and not our end.
class StopSignal {
 public:
  [[nodiscard]] static base::Result<StopSignal> open();
  /// From now on SIGHUP is no stop signal: it makes the descriptor that is returned readable.
  [[nodiscard]] base::Result<base::UniqueFd> divert_hangup();
  /// Makes it readable after `time`, by SIGALRM.
  [[nodiscard]] static base::Status after(std::chrono::milliseconds time);
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  explicit StopSignal(base::UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  base::UniqueFd fd_;
};

}  // namespace flowtally::app
