#include "app/stop_signal.hpp"

#include <cerrno>
#include <csignal>

#include <sys/signalfd.h>

namespace flowtally::app {

base::Result<StopSignal> StopSignal::open() {
  sigset_t stops;
  sigemptyset(&stops);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&stops, signal);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &stops, nullptr); error != 0) {
    return base::fail(base::Error::from_errno(error, "block the stop signals"));
  }
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  base::UniqueFd fd(::signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid())
    return base::fail(base::Error::from_errno(errno, "make a descriptor for the stop signals"));
  return StopSignal(std::move(fd));
}

}  // namespace flowtally::app
