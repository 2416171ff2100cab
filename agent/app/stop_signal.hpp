// This file turns SIGINT, SIGTERM and SIGHUP into a readable descriptor.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace flowtally::app {

/// Readable once a stop signal has come. From open() on the three signals do nothing else, in this thread and
/// in those that it starts later; SIGPIPE is ignored, so that a reader that went away is an error and not our
/// end.
class StopSignal {
 public:
  [[nodiscard]] static base::Result<StopSignal> open();
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  explicit StopSignal(base::UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  base::UniqueFd fd_;
};

}  // namespace flowtally::app
