// This file skips what this machine's rights do not allow, with the reason, instead of failing for it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"

namespace flowtally::test {

/// Skips the test where BPF programs cannot be loaded.
inline void require_bpf() {
  if (::geteuid() != 0) SKIP("needs root: loads BPF programs");
}

/// Skips the test where no network namespace or TUN device can be made.
inline void require_network() {
  require_bpf();
  const base::UniqueFd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!tun.valid()) SKIP("needs /dev/net/tun");
}

}  // namespace flowtally::test
