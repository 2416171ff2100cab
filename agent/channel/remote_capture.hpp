// This file is the agent's end of the channel: a capture that another process does.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "capture/capture.hpp"
#include "channel/values.hpp"

namespace flowtally::channel {

/// A socket to a capturer, and the eventfd by which it tells that there are events. Outlives what is opened
/// over it; one at a time. Not thread-safe.
class Connection {
 public:
  /// `how_it_ended` is asked once the capturer does not answer any more: "was killed by signal 9".
  [[nodiscard]] static base::Result<std::unique_ptr<Connection>> over(
      base::UniqueFd channel, base::UniqueFd wake, std::function<std::string()> how_it_ended);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() = default;

  /// Asks; what comes back is read by `answer`, false where it could not be.
  [[nodiscard]] base::Status ask(const Request& request, const std::function<bool(Reader&)>& answer);
  /// The one BPF file system in which what is opened later may be pinned; empty: none. Comes first, and once,
  /// before anything of others' has been read here: after that nobody can have more opened.
  [[nodiscard]] base::Status confine(const std::string& bpffs);
  /// Readable after a wake, and when the capturer has ended.
  [[nodiscard]] int event_fd() const noexcept { return epoll_.get(); }
  void take_wake() noexcept;
  [[nodiscard]] std::optional<base::Error> ended() const;

 private:
  Connection(base::UniqueFd channel, base::UniqueFd wake, base::UniqueFd epoll,
             std::function<std::string()> how_it_ended);
  [[nodiscard]] base::Error end() const;

  base::UniqueFd channel_;
  base::UniqueFd wake_;
  base::UniqueFd epoll_;
  std::function<std::string()> how_it_ended_;
  SocketReader reader_;
  SocketWriter writer_;
  bool broken_ = false;
};

/// As capture::Capturer::open(), in the process at the other end; `connection` must outlive it. The program
/// is the one that is built in, whatever options.image says.
[[nodiscard]] base::Result<std::unique_ptr<capture::Capture>> open_remote(
    Connection& connection, const capture::CaptureOptions& options);

}  // namespace flowtally::channel
