// This file is how a command ends. The app makes exit codes of it.
#pragma once

#include <cstdint>

namespace flowtally::cli {

enum class Outcome : std::uint8_t {
  kDone,
  kFailed,       ///< said why on stderr
  kUsage,        ///< what was asked is wrong; said what
  kUnreachable,  ///< no agent answers on the socket; said what to do
  kStopped,      ///< by Ctrl-C or another stop signal
};

}  // namespace flowtally::cli
