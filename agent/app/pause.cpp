#include <cstdio>

#include <fmt/format.h>
#include <poll.h>

#include "app/commands.hpp"
#include "app/stop_signal.hpp"

namespace flowtally::app {

ExitCode pause() {
  const auto stop = StopSignal::open();
  if (!stop) {
    fmt::print(stderr, "flowtally: {}\n", stop.error().text());
    return ExitCode::kFailed;
  }
  fmt::print("at rest until SIGINT or SIGTERM\n");
  static_cast<void>(std::fflush(stdout));
  pollfd wait{.fd = stop->fd(), .events = POLLIN, .revents = 0};
  while (::poll(&wait, 1, -1) <= 0) continue;  // interrupted
  return ExitCode::kOk;
}

}  // namespace flowtally::app
