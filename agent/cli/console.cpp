#include "cli/console.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

namespace flowtally::cli {
namespace {

/// Back to the begin of the line, and away with what stands there.
constexpr std::string_view kEraseLine = "\r\x1b[K";
constexpr int kLastPieceWaitMs = 200;

bool no_colour_asked() {
  const char* const value = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return value != nullptr && *value != '\0';
}

}  // namespace

Console::Console(ConsoleOptions options)
    : options_(options),
      out_is_terminal_(::isatty(options.out_fd) == 1),
      err_is_terminal_(::isatty(options.err_fd) == 1),
      colour_(out_is_terminal_ && !no_colour_asked()) {}

bool Console::print(std::string_view text) {
  if (!text.empty()) clear_progress();
  bool stopped = false;
  while (!broken_ && !text.empty()) {
    std::array<pollfd, 2> fds{{{.fd = options_.out_fd, .events = POLLOUT, .revents = 0},
                               {.fd = options_.stop_fd, .events = POLLIN, .revents = 0}}};
    // Once stopped, a reader that goes on reading gets the last line whole; a stuck one is not waited for.
    const int ready = ::poll(fds.data(), stopped ? 1 : fds.size(), stopped ? kLastPieceWaitMs : -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) print_errno_ = errno;
    if (ready <= 0) {
      broken_ = true;
      break;
    }
    stopped = stopped || fds[1].revents != 0;
    if (fds[0].revents == 0) continue;
    // A pipe that can be written takes so much at least without waiting.
    const ssize_t written =
        ::write(options_.out_fd, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      print_errno_ = errno;
      broken_ = true;
    }
  }
  return !broken_ && !stopped;
}

void Console::say_raw(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t written = ::write(options_.err_fd, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return;  // nobody listens: nothing can be said about it
    }
  }
}

void Console::say(std::string_view sentence) {
  clear_progress();
  say_raw(fmt::format("flowtally: {}\n", sentence));
}

void Console::show_progress(std::string_view text) {
  if (!err_is_terminal_) return;
  progress_shown_ = true;
  say_raw(fmt::format("{}{}", kEraseLine, text));
}

void Console::clear_progress() {
  if (!progress_shown_) return;
  progress_shown_ = false;
  say_raw(kEraseLine);
}

bool Console::stopped() const { return stopped_within(std::chrono::milliseconds(0)); }

bool Console::stopped_within(std::chrono::milliseconds time) const {
  pollfd stop{.fd = options_.stop_fd, .events = POLLIN, .revents = 0};
  return ::poll(&stop, 1, static_cast<int>(time.count())) > 0;
}

}  // namespace flowtally::cli
