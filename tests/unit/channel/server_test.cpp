// Goal: the capturer's end takes questions in an order that makes sense only, ends with the channel, and the
// agent learns that it has ended. Method: the server on a thread, without a capture behind it.
#include "channel/server.hpp"

#include <array>
#include <string>
#include <thread>

#include <sys/eventfd.h>
#include <sys/socket.h>

#include "channel/remote_capture.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

/// A server on a thread of its own, and the agent's end of its channel.
class Serving {
 public:
  Serving() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    ours_.reset(ends[0]);
    thread_ = std::thread([this, its = ends[1]] {
      base::UniqueFd fd(its);
      result_ = channel::serve(fd.get(), wake_.get());
    });
  }
  ~Serving() {
    ours_.reset();
    if (thread_.joinable()) thread_.join();
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  [[nodiscard]] int fd() const { return ours_.get(); }
  [[nodiscard]] base::UniqueFd take_fd() { return std::move(ours_); }
  [[nodiscard]] base::UniqueFd take_wake() const { return base::UniqueFd(::dup(wake_.get())); }
  base::Status end() {
    ours_.reset();
    return result();
  }
  base::Status result() {
    thread_.join();
    return result_;
  }

 private:
  base::UniqueFd wake_;
  base::UniqueFd ours_;
  base::Status result_{};
  std::thread thread_;
};

}  // namespace

TEST_CASE("nothing is opened that would be pinned anywhere but where the server was started for", "[unit]") {
  Serving serving;
  auto connection = channel::Connection::over(serving.take_fd(), serving.take_wake(), [] { return "?"; });
  REQUIRE(connection);
  REQUIRE((*connection)->confine("/sys/fs/bpf"));
  for (const char* const other : {"/sys/fs", "/sys/fs/bpf/", "/sys/fs/bpf/cilium", "/etc"}) {
    const auto opened =
        channel::open_remote(**connection, {.interface = "ft-none", .bpffs = other, .fresh = true});
    INFO(other);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code() == base::ErrorCode::kPermission);
    CHECK(opened.error().text().find("started to pin in /sys/fs/bpf") != std::string::npos);
  }
  CHECK_FALSE((*connection)->ended());  // it was an answer, and it can be asked again
}

TEST_CASE("where may be pinned is said once and before anything is opened, or the server ends", "[unit]") {
  {
    Serving serving;
    channel::SocketWriter writer(serving.fd());
    channel::write_request(writer, {.command = channel::Command::kOpen, .options = {.interface = "ft-none"}});
    CHECK(writer.flush());
    CHECK_FALSE(serving.result());
  }
  Serving serving;
  auto connection = channel::Connection::over(serving.take_fd(), serving.take_wake(), [] { return "?"; });
  REQUIRE(connection);
  REQUIRE((*connection)->confine("/sys/fs/bpf"));
  CHECK_FALSE((*connection)->confine("/etc"));
  CHECK_FALSE(serving.result());
}

TEST_CASE("a channel that is closed ends the server well", "[unit]") {
  Serving serving;
  CHECK(serving.end());
}

TEST_CASE("questions about nothing that was opened, and what is no question, end the server", "[unit]") {
  for (const channel::Command command :
       {channel::Command::kClose, channel::Command::kLook, channel::Command::kTake, channel::Command::kDrain,
        channel::Command::kAcknowledge, channel::Command::kPeek, channel::Command::kSockets,
        channel::Command::kDetach}) {
    Serving serving;
    channel::SocketWriter writer(serving.fd());
    channel::write_request(writer, {.command = command});
    CHECK(writer.flush());
    const auto ended = serving.result();
    REQUIRE_FALSE(ended);
    CHECK(ended.error().code() == base::ErrorCode::kInvalidArgument);
  }
  Serving serving;
  const std::string garbage(100, '\xff');
  REQUIRE(::send(serving.fd(), garbage.data(), garbage.size(), 0) == 100);
  CHECK_FALSE(serving.result());
}

TEST_CASE("what cannot be opened is told in the capture's words, and can be tried again", "[unit]") {
  Serving serving;
  auto connection = channel::Connection::over(serving.take_fd(), serving.take_wake(),
                                              [] { return std::string("is gone"); });
  REQUIRE(connection);
  REQUIRE((*connection)->confine("/proc"));
  for (int turn = 0; turn < 2; ++turn) {
    const auto opened = channel::open_remote(**connection, {.bpffs = "/proc"});
    REQUIRE_FALSE(opened);
    CHECK_FALSE((*connection)->ended());
  }
  connection->reset();
  CHECK(serving.result());
}

TEST_CASE("the agent is woken by the end of the capturer and told how it came", "[unit]") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  base::UniqueFd its(ends[1]);
  auto connection =
      channel::Connection::over(base::UniqueFd(ends[0]), base::UniqueFd(::eventfd(0, EFD_CLOEXEC)),
                                [] { return std::string("was killed by signal 9"); });
  REQUIRE(connection);
  CHECK_FALSE((*connection)->ended());
  its.reset();
  const auto ended = (*connection)->ended();
  REQUIRE(ended);
  CHECK(ended->text().find("was killed by signal 9") != std::string::npos);
  const auto asked =
      (*connection)->ask({.command = channel::Command::kLook}, [](channel::Reader&) { return true; });
  REQUIRE_FALSE(asked);
  CHECK(asked.error().code() == base::ErrorCode::kInternal);
}

}  // namespace flowtally::test
