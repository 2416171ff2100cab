// This file is the capturer's end of the channel: it answers one question after the other.
#pragma once

#include "base/result.hpp"

namespace flowtally::channel {

/// Answers on `channel_fd`, a stream socket, until the other end is closed; what was opened is closed then,
/// so what is pinned counts on. `wake_fd` is an eventfd that is written to when there are events to be taken:
/// once, until they have been. Both must outlive the call. An Error: the other end asked what no agent of
/// ours would. The first question must say in which BPF file system things may be pinned, or that nothing
/// may: it comes from whom the operator started, those after it from whom we keep from having rights. What is
/// to be pinned elsewhere is refused from then on.
[[nodiscard]] base::Status serve(int channel_fd, int wake_fd);

}  // namespace flowtally::channel
