// This file has the system calls that each of the two processes may make (seccomp(2), by libseccomp). A call
// that is in no list ends the process, and the kernel's log says which it was. What libraries try and can do
// without is answered by an error: calls that are newer than the lists, other ioctls, other families of
// sockets.
#pragma once

#include "base/result.hpp"

namespace flowtally::rights {

/// For the part that talks to the network and reads what others wrote: files, sockets of the families unix,
/// inet, inet6 and netlink's routes, threads; no execve, bpf, mount, ptrace, no change of users, no namespace
/// of its own. For this thread and those that it makes from now on, and for good; after
/// forbid_new_privileges().
[[nodiscard]] base::Status allow_only_agent_calls();

/// For the part that holds what counts: bpf, netlink, pins, and its channel; no threads, no connection, no
/// signal to another process.
[[nodiscard]] base::Status allow_only_capturer_calls();

}  // namespace flowtally::rights
