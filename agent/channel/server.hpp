// This file is the capturer's end of the channel: it answers one question after the other.
#pragma once

#include "base/result.hpp"

namespace flowtally::channel {

/// Answers on `channel_fd`, a stream socket, until the other end is closed; what was opened is closed then,
/// so what is pinned counts on. `wake_fd` is an eventfd that is written to when there are events to be taken:
/// once, until they have been. Both must outlive the call. An Error: the other end asked what no agent of
/// ours would.
[[nodiscard]] base::Status serve(int channel_fd, int wake_fd);

}  // namespace flowtally::channel
