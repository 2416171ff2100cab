#include "app/stop_signal.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <initializer_list>

#include <sys/signalfd.h>
#include <sys/time.h>

namespace flowtally::app {

namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

}  // namespace

base::Result<StopSignal> StopSignal::open() {
  const sigset_t stops = set_of({SIGINT, SIGTERM, SIGHUP, SIGALRM});
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &stops, nullptr); error != 0) {
    return base::fail(base::Error::from_errno(error, "block the stop signals"));
  }
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  base::UniqueFd fd(::signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid())
    return base::fail(base::Error::from_errno(errno, "make a descriptor for the stop signals"));
  return StopSignal(std::move(fd));
}

base::Result<base::UniqueFd> StopSignal::divert_hangup() {
  const sigset_t stops = set_of({SIGINT, SIGTERM, SIGALRM});
  const sigset_t hangup = set_of({SIGHUP});
  base::UniqueFd fd(::signalfd(-1, &hangup, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid() || ::signalfd(fd_.get(), &stops, 0) < 0)
    return base::fail(base::Error::from_errno(errno, "make a descriptor for SIGHUP"));
  return fd;
}

base::Status StopSignal::after(std::chrono::milliseconds time) {
  itimerval timer{};
  timer.it_value.tv_sec = time.count() / 1000;
  timer.it_value.tv_usec = std::max<long>(time.count() % 1000 * 1000, time.count() == 0 ? 1 : 0);
  if (::setitimer(ITIMER_REAL, &timer, nullptr) != 0) {
    return base::fail(base::Error::from_errno(errno, "start the timer of --duration"));
  }
  return {};
}

}  // namespace flowtally::app
