// This file is the terminal, or the pipe, that a command speaks to: what it prints, what it says besides, and
// whether it has been told to stop. It waits for a slow reader and for the stop at once, so that Ctrl-C works
// even where a pager does not read on.
#pragma once

#include <chrono>
#include <string_view>

namespace flowtally::cli {

struct ConsoleOptions {
  int out_fd = 1;
  int err_fd = 2;
  /// Readable once the command shall end; -1: never. SIGPIPE must be ignored.
  int stop_fd = -1;
};

/// Not thread-safe. The descriptors are not owned.
class Console {
 public:
  explicit Console(ConsoleOptions options);

  /// To stdout, whole. False: the reader has gone, the disk is full, or the stop came; then all that follows
  /// is thrown away.
  bool print(std::string_view text);
  /// A line to stderr, with the program's name in front and the line's end behind.
  void say(std::string_view sentence);

  /// A line on stderr that the next one, or anything else, replaces. Does nothing where that is no terminal.
  void show_progress(std::string_view text);
  void clear_progress();

  [[nodiscard]] bool out_is_terminal() const noexcept { return out_is_terminal_; }
  /// Colours are wanted: a terminal, and no NO_COLOR in the environment (no-color.org).
  [[nodiscard]] bool colour() const noexcept { return colour_; }
  [[nodiscard]] int stop_fd() const noexcept { return options_.stop_fd; }

  [[nodiscard]] bool stopped() const;
  /// Waits so long or until the stop; true if it came.
  [[nodiscard]] bool stopped_within(std::chrono::milliseconds time) const;
  /// Why print() said false: 0 if it did not, or if only the stop came.
  [[nodiscard]] int print_errno() const noexcept { return print_errno_; }

 private:
  void say_raw(std::string_view text) const;

  ConsoleOptions options_;
  bool out_is_terminal_;
  bool err_is_terminal_;
  bool colour_;
  bool broken_ = false;
  int print_errno_ = 0;
  bool progress_shown_ = false;
};

}  // namespace flowtally::cli
