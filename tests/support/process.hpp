// This file runs the built program as a child, as a user would, and keeps what it prints.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/unique_fd.hpp"

namespace flowtally::test {

/// A running `flowtally`. The destructor kills it if it still runs. Whether it is waited for or killed: the
/// test fails if it or its capturer was ended by its filter of system calls.
class Program {
 public:
  /// Starts it with these arguments, in the namespace of the calling thread. `environment`: "NAME=VALUE",
  /// beside what this process has. `executable` null: the program as it is shipped.
  explicit Program(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment = {}, const char* executable = nullptr);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  /// Waits until stderr or stdout holds `text`; fails the test at the deadline, with all that was printed.
  void wait_for_output(const std::string& text, std::chrono::seconds deadline = std::chrono::seconds(20));
  /// Waits until stdout holds `text` so many times.
  void wait_for_times(const std::string& text, std::size_t times,
                      std::chrono::seconds deadline = std::chrono::seconds(20));
  /// True as soon as stdout holds a line.
  [[nodiscard]] bool reads_within(std::chrono::milliseconds time);
  void signal(int number) const;
  /// Waits for the end; the exit code, or 128 + the signal.
  [[nodiscard]] int wait(std::chrono::seconds deadline = std::chrono::seconds(30));

  /// Bytes that wait in the pipe from its stdout.
  [[nodiscard]] std::size_t unread_out() const;
  /// Whether that pipe has no page left (fs/pipe.c, pipe_poll). Its bytes do not tell: a write that does not
  /// fit into the last page begins a new one, so that a full pipe of 64 KiB can hold little more than half of
  /// that.
  [[nodiscard]] bool out_is_full() const;
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] const std::string& out() const noexcept { return out_; }
  [[nodiscard]] const std::string& err() const noexcept { return err_; }

 private:
  /// Takes what can be read; false once both ends are closed.
  bool pump(int timeout_ms);
  void check_calls(int status) const;

  pid_t pid_ = -1;
  base::UniqueFd out_fd_;
  base::UniqueFd err_fd_;
  std::string out_;
  std::string err_;
};

}  // namespace flowtally::test
