// This file numbers the ways in which the program ends; README and --help say the same.
#pragma once

namespace flowtally::app {

enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,  ///< something failed while running; the log says what
  kUsage = 2,   ///< the command line is wrong
  kHost = 3,    ///< this host lacks something: a right, a mount, a kernel feature; `flowtally check` tells
  kNotConserved = 4,  ///< a window did not add up, or the demo's counts were not exact
  kUnreachable = 5,   ///< no agent answers on the socket, or not to this user
  kStopped = 130,     ///< a question was ended by Ctrl-C or another stop signal
};

}  // namespace flowtally::app
