#include "app/capturer_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
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
#include "rights/private_memory.hpp"

namespace flowtally::app {
namespace {

using base::Error;
using base::fail;

constexpr std::chrono::seconds kEndWait{10};
/// Between the closed channel and a process that can be waited for.
constexpr std::chrono::seconds kLastBreath{1};
constexpr int kLookMs = 100;
constexpr int kLookWithoutMs = 2;

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

/// The configuration takes passwords from there; nothing that captures reads it.
void forget_environment() noexcept {
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable)
    ::explicit_bzero(*variable, std::strlen(*variable));
  environ = nullptr;
}

base::Status serve(int channel, int wake) {
  static_cast<void>(::prctl(PR_SET_NAME, "flowtally-capt", 0, 0, 0));
  leave_standard_streams();
  close_all_but(channel, wake);
  forget_environment();
  base::Status step = keep_capturer_rights();
  if (step) step = channel::serve(channel, wake);
  return step;
}

/// The child; nothing is thrown out of it, for above it is the agent's code.
ExitCode work(int channel, int wake) noexcept {
  std::string why;
  try {
    const base::Status served = serve(channel, wake);
    if (served) return ExitCode::kOk;
    why = served.error().text();
  } catch (const std::exception& thrown) {
    why = thrown.what();
  }
  static_cast<void>(std::fprintf(stderr, "flowtally: capturer: %s\n", why.c_str()));
  return ExitCode::kFailed;
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
  if (auto kept = rights::keep_memory_private(); !kept) return fail(std::move(kept.error()));
  static_cast<void>(std::fflush(nullptr));
  // The stop signals are blocked and stay so in the child: it ends when the channel does.
  const pid_t pid = ::fork();
  if (pid < 0) return fail(Error::from_errno(errno, "fork the capturer"));
  if (pid == 0) ::_exit(static_cast<int>(work(its.get(), wake.get())));
  base::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  std::unique_ptr<CapturerProcess> made(new CapturerProcess(pid, std::move(process)));
  auto connection = channel::Connection::over(std::move(ours), std::move(wake),
                                              [whose = made.get()] { return whose->how_it_ended(); });
  if (!connection) return fail(std::move(connection.error()));
  made->connection_ = std::move(*connection);
  return made;
}

bool CapturerProcess::wait(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (end_.empty()) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) != 0) {
      end_ = "has ended";  // somebody else has waited for it
    } else if (info.si_pid == pid_) {
      killed_ = info.si_code != CLD_EXITED;
      end_ = !killed_
                 ? fmt::format("has ended with exit code {}", info.si_status)
                 : fmt::format("was killed by signal {} ({})", info.si_status, ::strsignal(info.si_status));
    } else if (std::chrono::steady_clock::now() >= end) {
      return false;
    } else {
      // Where a container's filter has refused the pidfd: look again in a moment, for poll() passes -1 over.
      pollfd event{.fd = process_.get(), .events = POLLIN, .revents = 0};
      static_cast<void>(::poll(&event, 1, process_.valid() ? kLookMs : kLookWithoutMs));
    }
  }
  return true;
}

std::string CapturerProcess::how_it_ended() {
  return wait(kLastBreath) ? end_ : std::string("does not answer");
}

CapturerProcess::~CapturerProcess() {
  connection_.reset();  // by which it ends
  const bool told = !end_.empty();
  if (told || !wait(kEndWait) || !killed_) return;
  // It says itself what else goes wrong.
  static_cast<void>(std::fprintf(stderr, "flowtally: the capturer %s\n", end_.c_str()));
}

}  // namespace flowtally::app
