// This file is the other process: a child of ours that keeps the rights which capturing needs, and does
// nothing else (docs/adr/0010-two-processes.md).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <sys/types.h>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "capture/capture.hpp"
#include "channel/remote_capture.hpp"

namespace flowtally::app {

/// The child, from the fork to its end. It ends when this object does, or with this process, however that
/// ends. Not thread-safe.
class CapturerProcess {
 public:
  /// Forks; call it while there is one thread, all rights are held, and before there are secrets in memory:
  /// the child forgets the environment, and nothing else. In the child: keeps the capabilities that attaching
  /// needs and gives up all others, loads its filter of system calls, and answers.
  [[nodiscard]] static base::Result<std::unique_ptr<CapturerProcess>> start();
  CapturerProcess(const CapturerProcess&) = delete;
  CapturerProcess& operator=(const CapturerProcess&) = delete;
  /// Waits until it has let go of what it holds, 10 s at the most.
  ~CapturerProcess();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// As channel::Connection::confine(): once, before the first open() and before anything of others' is read.
  [[nodiscard]] base::Status confine(const std::string& bpffs) { return connection_->confine(bpffs); }
  /// As capture::Capturer::open(). One at a time; it must not outlive this object.
  [[nodiscard]] base::Result<std::unique_ptr<capture::Capture>> open(const capture::CaptureOptions& options) {
    return channel::open_remote(*connection_, options);
  }

 private:
  CapturerProcess(pid_t pid, base::UniqueFd process) : pid_(pid), process_(std::move(process)) {}
  /// Waits for its end, so long at the most; false if it still is.
  bool wait(std::chrono::milliseconds time);
  [[nodiscard]] std::string how_it_ended();

  pid_t pid_;
  base::UniqueFd process_;  ///< a pidfd; none where the kernel or a filter has none
  std::unique_ptr<channel::Connection> connection_{};
  std::string end_{};  ///< once it is known
  bool killed_ = false;
};

}  // namespace flowtally::app
