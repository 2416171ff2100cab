// This file has the system calls that each of the two processes may make (seccomp(2), by libseccomp). A call
// that is not in the list ends the process, and the kernel's log says which it was.
#pragma once

#include "base/result.hpp"

namespace flowtally::rights {

/// For the part that talks to the network and reads what others wrote: files, sockets of the families unix,
/// inet, inet6 and netlink, threads; no execve, bpf, mount, ptrace, no change of users. For this process and
/// its threads to come, and for good; after forbid_new_privileges().
[[nodiscard]] base::Status allow_only_agent_calls();

/// For the part that holds what counts: bpf, netlink, pins, and its channel; no threads, no network.
[[nodiscard]] base::Status allow_only_capturer_calls();

}  // namespace flowtally::rights
