// This file runs code in a child: rights that are given up do not come back.
#pragma once

#include <csignal>
#include <cstdio>
#include <functional>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace flowtally::test {

/// What `body` returned, or 128 + the signal that ended it. No assertions in the body.
inline int in_child(const std::function<int()>& body) {
  static_cast<void>(std::fflush(nullptr));
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit no_core{};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::_exit(body());
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace flowtally::test
