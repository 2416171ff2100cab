#include "channel/server.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/capturer.hpp"
#include "channel/values.hpp"

namespace flowtally::channel {
namespace {

class Server {
 public:
  Server(int channel_fd, int wake_fd) : fd_(channel_fd), wake_fd_(wake_fd), reader_(fd_), writer_(fd_) {}

  base::Status run() {
    for (;;) {
      if (!wait()) return base::fail(base::Error::from_errno(errno, "wait for the agent's next question"));
      if (over_) return {};
      const auto request = read_request(reader_);
      if (!request) return gone();
      if (!fits(*request)) return wrong();
      answer(*request);
      if (!writer_.flush()) return {};  // whoever asked has ended
    }
  }

 private:
  /// Until there is a question, or the end.
  bool wait() {
    for (;;) {
      const int events = capturer_ && !woken_ ? capturer_->event_fd() : -1;
      std::array<pollfd, 2> waits{
          {{.fd = fd_, .events = POLLIN, .revents = 0}, {.fd = events, .events = POLLIN, .revents = 0}}};
      if (::poll(waits.data(), waits.size(), -1) < 0) {
        if (errno == EINTR) continue;
        return false;
      }
      if (waits[1].revents != 0) {
        const std::uint64_t one = 1;
        woken_ = ::write(wake_fd_, &one, sizeof(one)) == static_cast<ssize_t>(sizeof(one));
      }
      if (waits[0].revents == 0) continue;
      char byte = 0;
      over_ = ::recv(fd_, &byte, 1, MSG_PEEK) <= 0;
      return true;
    }
  }

  /// What read_request() could not read: the end in the middle of a question, or no question.
  [[nodiscard]] base::Status gone() const {
    pollfd look{.fd = fd_, .events = POLLRDHUP, .revents = 0};
    if (::poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP)) != 0) return {};
    return wrong();
  }
  static base::Status wrong() {
    return base::fail(base::Error(base::ErrorCode::kInvalidArgument, "the agent asked what it may not ask"));
  }

  /// Only what is opened can be asked, and only what was given out be acknowledged.
  [[nodiscard]] bool fits(const Request& request) const {
    if (request.command == Command::kConfine) return !bpffs_;
    if (request.command == Command::kOpen) return bpffs_ && capturer_ == nullptr;
    if (request.command == Command::kAcknowledge) return given_;
    return capturer_ != nullptr;
  }

  void answer(const Request& request) {
    switch (request.command) {
      case Command::kConfine: bpffs_ = request.bpffs; return writer_.value(std::uint8_t{1});
      case Command::kOpen: return open(request.options);
      case Command::kClose:
        capturer_.reset();
        given_ = woken_ = false;
        return writer_.value(std::uint8_t{1});
      case Command::kLook: return events(capturer_->look_at_interface());
      case Command::kTake: return events(capturer_->take_events());
      case Command::kDrain: {
        const auto drained = capturer_->drain();
        given_ = given_ || drained.has_value();
        if (verdict(drained)) write_generation(writer_, **drained);
        break;
      }
      case Command::kAcknowledge: {
        const auto done = capturer_->acknowledge();
        given_ = !done.has_value();
        static_cast<void>(verdict(done));
        break;
      }
      case Command::kPeek: {
        const auto seen = capturer_->peek();
        if (verdict(seen)) write_generation(writer_, *seen);
        break;
      }
      case Command::kSockets:
        capturer_->set_tailscaled_sockets(request.udp_ports, request.marked);
        writer_.value(std::uint8_t{1});
        break;
      case Command::kDetach:
        capturer_->detach();
        writer_.value(std::uint8_t{1});
        break;
    }
    stand();
  }

  void open(const capture::CaptureOptions& options) {
    auto opened = may_pin_in(options.bpffs) ? capture::Capturer::open(options) : refuse(options.bpffs);
    if (!verdict(opened)) return;
    capturer_ = std::move(*opened);
    stand();
  }

  [[nodiscard]] bool may_pin_in(const std::string& bpffs) const { return bpffs.empty() || bpffs == *bpffs_; }
  [[nodiscard]] base::Result<std::unique_ptr<capture::Capturer>> refuse(const std::string& bpffs) const {
    return base::fail(
        base::Error(base::ErrorCode::kPermission,
                    fmt::format("pin in {}: flowtally was started {}", bpffs,
                                bpffs_->empty() ? "to pin nothing" : fmt::format("to pin in {}", *bpffs_)))
            .advise("Start it anew: this cannot be changed while it runs"));
  }

  void events(const std::vector<capture::Event>& events) {
    woken_ = false;
    writer_.value(std::uint8_t{1});
    write_events(writer_, events);
    stand();
  }

  template <class T>
  bool verdict(const base::Result<T>& result) {
    writer_.value(static_cast<std::uint8_t>(result.has_value() ? 1 : 0));
    if (!result) write_error(writer_, result.error());
    return result.has_value();
  }

  void stand() {
    write_standing(writer_, {.status = capturer_->status(), .backlog = capturer_->has_backlog()});
  }

  int fd_;
  int wake_fd_;
  std::optional<std::string> bpffs_;  ///< where things may be pinned; empty: nowhere
  SocketReader reader_;
  SocketWriter writer_;
  std::unique_ptr<capture::Capturer> capturer_;
  bool given_ = false;  ///< a generation that is not acknowledged
  bool woken_ = false;  ///< the agent has been told that there are events
  bool over_ = false;
};

}  // namespace

base::Status serve(int channel_fd, int wake_fd) { return Server(channel_fd, wake_fd).run(); }

}  // namespace flowtally::channel
