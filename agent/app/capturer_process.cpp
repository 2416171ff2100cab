#include "app/capturer_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/exit_code.hpp"
#include "app/part_rights.hpp"
#include "channel/server.hpp"

namespace flowtally::app {
namespace {

using base::Error;
using base::fail;

constexpr int kEndWaitMs = 10'000;
/// Between the closed channel and a process that can be waited for.
constexpr int kLastBreathMs = 1'000;

/// Whoever reads our records at the other end of stdout waits for the agent's end of it, not for this one's.
void leave_standard_streams() noexcept {
  const base::UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nothing.valid()) return;
  ::dup2(nothing.get(), STDIN_FILENO);
  ::dup2(nothing.get(), STDOUT_FILENO);
}

/// Everything but standard streams and these: what the agent has open is none of the capturer's business.
void close_all_but(int one, int other) noexcept {
  const auto low = static_cast<unsigned>(std::min(one, other));
  const auto high = static_cast<unsigned>(std::max(one, other));
  static_cast<void>(::close_range(STDERR_FILENO + 1, low - 1, 0));
  if (high > low + 1) static_cast<void>(::close_range(low + 1, high - 1, 0));
  static_cast<void>(::close_range(high + 1, ~0U, 0));
}

int work(int channel, int wake) {
  static_cast<void>(::prctl(PR_SET_NAME, "flowtally-capt", 0, 0, 0));
  leave_standard_streams();
  close_all_but(channel, wake);
  base::Status step = keep_capturer_rights();
  if (step) step = channel::serve(channel, wake);
  if (step) return static_cast<int>(ExitCode::kOk);
  fmt::print(stderr, "flowtally: capturer: {}\n", step.error().text());
  return static_cast<int>(ExitCode::kFailed);
}

}  // namespace

base::Result<std::unique_ptr<CapturerProcess>> CapturerProcess::start() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail(Error::from_errno(errno, "make the channel to the capturer"));
  base::UniqueFd ours(ends[0]);
  const base::UniqueFd its(ends[1]);
  base::UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid())
    return fail(Error::from_errno(errno, "make the descriptor by which the capturer wakes us"));
  static_cast<void>(std::fflush(nullptr));
  // The stop signals are blocked and stay so in the child: it ends when the channel does.
  const pid_t pid = ::fork();
  if (pid < 0) return fail(Error::from_errno(errno, "fork the capturer"));
  if (pid == 0) ::_exit(work(its.get(), wake.get()));
  base::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  std::unique_ptr<CapturerProcess> made(new CapturerProcess(pid, std::move(process)));
  auto connection = channel::Connection::over(std::move(ours), std::move(wake),
                                              [whose = made.get()] { return whose->how_it_ended(); });
  if (!connection) return fail(std::move(connection.error()));
  made->connection_ = std::move(*connection);
  return made;
}

std::string CapturerProcess::how_it_ended() {
  if (!end_.empty()) return end_;
  pollfd wait{.fd = process_.get(), .events = POLLIN, .revents = 0};
  siginfo_t info{};
  if (::poll(&wait, 1, kLastBreathMs) <= 0 ||
      ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) != 0 || info.si_pid != pid_)
    return "does not answer";
  const bool exited = info.si_code == CLD_EXITED;
  end_ = exited ? fmt::format("has ended with exit code {}", info.si_status)
                : fmt::format("was killed by signal {} ({})", info.si_status, ::strsignal(info.si_status));
  return end_;
}

CapturerProcess::~CapturerProcess() {
  connection_.reset();  // by which it ends
  if (!end_.empty()) return;
  pollfd wait{.fd = process_.get(), .events = POLLIN, .revents = 0};
  if (process_.valid() && ::poll(&wait, 1, kEndWaitMs) == 0) return;
  int status = 0;
  static_cast<void>(::waitpid(pid_, &status, 0));
}

}  // namespace flowtally::app
