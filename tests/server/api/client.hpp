// This file speaks to the API as its clients do: well, through libcurl, and badly, through a bare socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace flowtally::test {

struct Response {
  long status = 0;          ///< 0: there was none
  std::string headers{};    ///< as they came
  std::string body{};       ///< not kept where the request says so
  std::uint64_t bytes = 0;  ///< of the body
  bool whole = false;
};

struct Ask {
  std::string socket{};  ///< a path; empty: TCP
  std::string target{};  ///< or a URL, for TCP
  std::vector<std::string> headers{};
  std::string encoding{};  ///< of Accept-Encoding
  bool keep_body = true;
  bool head = false;
};

/// Waits a minute at the most. Any thread.
[[nodiscard]] Response ask(const Ask& what);

/// A connection that does as it is told.
class RawClient {
 public:
  explicit RawClient(const std::string& socket);

  /// As much as the other end takes now.
  void send(const std::string& text) const;
  /// Reads until the text is there; false if the end or the deadline comes first. Any thread.
  [[nodiscard]] bool read_until(const std::string& text,
                                std::chrono::seconds deadline = std::chrono::seconds(20));
  /// Waits until the other end closes, reading what comes; fails the test at the deadline.
  void wait_for_end(std::chrono::seconds deadline = std::chrono::seconds(20));
  /// Waits until the other end has closed, and takes nothing of what it sent.
  void wait_for_hang_up(std::chrono::seconds deadline = std::chrono::seconds(20)) const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  [[nodiscard]] bool take(std::chrono::steady_clock::time_point deadline);

  base::UniqueFd fd_;
  std::string text_;
  bool late_ = false;
};

/// The built api_server, as a child. Killed in the end, if it still runs.
class ApiProcess {
 public:
  /// Waits until it is ready. `listen_fd`, if it is one, is passed as systemd passes sockets.
  ApiProcess(const std::vector<std::string>& arguments, int listen_fd = -1);
  ApiProcess(const ApiProcess&) = delete;
  ApiProcess& operator=(const ApiProcess&) = delete;
  ~ApiProcess();

  /// Closes its stdin and waits for the end; its exit code.
  int end();
  /// Of /proc/PID/status, in KiB: "VmRSS", "VmHWM", "Threads".
  [[nodiscard]] std::uint64_t status_number(const std::string& name) const;
  [[nodiscard]] int pid() const noexcept { return pid_; }
  [[nodiscard]] const std::string& said() const { return said_; }

 private:
  int pid_ = -1;
  base::UniqueFd stdin_;
  std::string said_;
};

}  // namespace flowtally::test
