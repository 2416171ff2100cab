// This file keeps what is in memory from files and from other processes: there are secrets of sinks in it.
#pragma once

#include "base/result.hpp"

namespace flowtally::rights {

/// No core dump is written of this process and of those that it makes, and no process of the same user may
/// read its memory or trace it (PR_SET_DUMPABLE). A change of users undoes the second half: call it again.
[[nodiscard]] base::Status keep_memory_private();

}  // namespace flowtally::rights
