// This file takes the sockets that systemd has passed (sd_listen_fds(3)): the descriptors from 3 on, as many
// as LISTEN_FDS says, if LISTEN_PID is this process.
#pragma once

#include "base/result.hpp"

namespace flowtally::api {

inline constexpr int kFirstPassedSocket = 3;
inline constexpr int kPassedSocketsMax = 4;

/// How many; 0 where none were passed, or to another process. They are closed on exec from then on. The
/// variables stay: the next caller finds the same. kInvalidArgument: the variables make no sense, or one is
/// no descriptor.
[[nodiscard]] base::Result<int> passed_sockets();

enum class PassedSocket { kUnix, kTcp, kUseless };
/// Useless: no stream socket that is listened on.
[[nodiscard]] PassedSocket kind_of_socket(int fd);

}  // namespace flowtally::api
