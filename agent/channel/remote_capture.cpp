#include "channel/remote_capture.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.hpp"

namespace flowtally::channel {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

class RemoteCapture final : public capture::Capture {
 public:
  explicit RemoteCapture(Connection& connection) : connection_(connection) {}
  ~RemoteCapture() override {
    if (!opened_) return;
    bool done = false;
    static_cast<void>(
        connection_.ask({.command = Command::kClose}, [&done](Reader& reader) { return reader.flag(done); }));
  }

  base::Status open(const capture::CaptureOptions& options) {
    auto opened = ask({.command = Command::kOpen, .options = options}, [](Reader&) { return true; });
    opened_ = opened.has_value();
    return opened;
  }

  [[nodiscard]] int event_fd() const noexcept override { return connection_.event_fd(); }

  [[nodiscard]] std::vector<capture::Event> take_events() override {
    connection_.take_wake();
    return events(Command::kTake);
  }
  [[nodiscard]] std::vector<capture::Event> look_at_interface() override { return events(Command::kLook); }

  [[nodiscard]] base::Result<const model::Generation*> drain() override {
    if (generation_) return &*generation_;
    if (auto drained = generation(Command::kDrain, generation_); !drained)
      return fail(std::move(drained.error()));
    return &*generation_;
  }

  [[nodiscard]] base::Status acknowledge() override {
    FLOWTALLY_CHECK(generation_.has_value());
    auto done = ask({.command = Command::kAcknowledge}, [](Reader&) { return true; });
    if (done) generation_.reset();
    return done;
  }

  [[nodiscard]] base::Result<model::Generation> peek() override {
    std::optional<model::Generation> seen;
    if (auto looked = generation(Command::kPeek, seen); !looked) return fail(std::move(looked.error()));
    return *std::move(seen);
  }

  void set_tailscaled_sockets(std::span<const std::uint16_t> udp_ports, bool marked) noexcept override {
    static_cast<void>(ask(
        {.command = Command::kSockets, .udp_ports = {udp_ports.begin(), udp_ports.end()}, .marked = marked},
        [](Reader&) { return true; }));
  }

  void detach() noexcept override {
    static_cast<void>(ask({.command = Command::kDetach}, [](Reader&) { return true; }));
  }

  [[nodiscard]] bool has_backlog() const noexcept override { return !generation_ && standing_.backlog; }
  [[nodiscard]] capture::Status status() const override { return standing_.status; }
  [[nodiscard]] std::optional<Error> ended() const override { return connection_.ended(); }

 private:
  /// A verdict, what `rest` reads, and how things stand.
  base::Status ask(const Request& request, const std::function<bool(Reader&)>& rest) {
    std::optional<Error> refused;
    auto asked = connection_.ask(request, [&](Reader& reader) {
      bool done = false;
      if (!reader.flag(done)) return false;
      if (!done) {
        refused = read_error(reader);
        if (!refused) return false;
        if (request.command == Command::kOpen) return true;
      } else if (!rest(reader)) {
        return false;
      }
      auto standing = read_standing(reader);
      if (standing) standing_ = std::move(*standing);
      return standing.has_value();
    });
    if (!asked) return asked;
    if (refused) return fail(*std::move(refused));
    return {};
  }

  std::vector<capture::Event> events(Command command) {
    std::vector<capture::Event> events;
    const auto asked = ask({.command = command}, [&events](Reader& reader) {
      auto read = read_events(reader);
      if (read) events = std::move(*read);
      return read.has_value();
    });
    // That the capturer has ended is told by ended().
    static_cast<void>(asked);
    return events;
  }

  base::Status generation(Command command, std::optional<model::Generation>& into) {
    return ask({.command = command}, [&into](Reader& reader) {
      into = read_generation(reader);
      return into.has_value();
    });
  }

  Connection& connection_;
  bool opened_ = false;
  Standing standing_;
  std::optional<model::Generation> generation_;
};

base::Result<base::UniqueFd> watch(int channel, int wake) {
  base::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event of_wake{};
  of_wake.events = EPOLLIN;
  epoll_event of_channel{};
  of_channel.events = EPOLLRDHUP;
  if (!epoll.valid() || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake, &of_wake) != 0 ||
      ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, channel, &of_channel) != 0) {
    return fail(Error::from_errno(errno, "watch the channel to the capturer"));
  }
  return epoll;
}

}  // namespace

Connection::Connection(base::UniqueFd channel, base::UniqueFd wake, base::UniqueFd epoll,
                       std::function<std::string()> how_it_ended)
    : channel_(std::move(channel)),
      wake_(std::move(wake)),
      epoll_(std::move(epoll)),
      how_it_ended_(std::move(how_it_ended)),
      reader_(channel_.get()),
      writer_(channel_.get()) {}

base::Result<std::unique_ptr<Connection>> Connection::over(base::UniqueFd channel, base::UniqueFd wake,
                                                           std::function<std::string()> how_it_ended) {
  auto epoll = watch(channel.get(), wake.get());
  if (!epoll) return fail(std::move(epoll.error()));
  return std::unique_ptr<Connection>(
      new Connection(std::move(channel), std::move(wake), std::move(*epoll), std::move(how_it_ended)));
}

base::Status Connection::ask(const Request& request, const std::function<bool(Reader&)>& answer) {
  if (broken_) return fail(end());
  write_request(writer_, request);
  if (writer_.flush() && answer(reader_)) return {};
  broken_ = true;
  return fail(end());
}

base::Status Connection::confine(const std::string& bpffs) {
  bool done = false;
  return ask({.command = Command::kConfine, .bpffs = bpffs},
             [&done](Reader& reader) { return reader.flag(done) && done; });
}

void Connection::take_wake() noexcept {
  std::uint64_t count = 0;
  static_cast<void>(::read(wake_.get(), &count, sizeof(count)));
}

std::optional<Error> Connection::ended() const {
  pollfd look{.fd = channel_.get(), .events = POLLRDHUP, .revents = 0};
  const bool closed = ::poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  if (!broken_ && !closed) return std::nullopt;
  return end();
}

Error Connection::end() const {
  return Error(ErrorCode::kInternal,
               fmt::format("the capturer, which holds what counts in the kernel, {}", how_it_ended_()))
      .advise("What is pinned counts on: start flowtally again");
}

base::Result<std::unique_ptr<capture::Capture>> open_remote(Connection& connection,
                                                            const capture::CaptureOptions& options) {
  auto remote = std::make_unique<RemoteCapture>(connection);
  if (auto opened = remote->open(options); !opened) return fail(std::move(opened.error()));
  return remote;
}

}  // namespace flowtally::channel
