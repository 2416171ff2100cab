// This file finds out what a host has around the kernel: who the agent would be, where it would write, whom
// it would ask. More rows of `flowtally check`.
#pragma once

#include <string>
#include <vector>

#include "capture/kernel_check.hpp"

namespace flowtally::app {

struct HostCheckOptions {
  std::string state_dir;
  std::string tailscaled_socket;
  std::string user{};  ///< as of RunOptions
};

/// Looks at files and at the clock, connects to tailscaled's socket and says nothing there. Makes nothing.
[[nodiscard]] std::vector<capture::Finding> check_host(const HostCheckOptions& options);

/// Whether `account` could write in that folder, by its mode and owner alone; one that is not there is judged
/// by whether it would be made.
[[nodiscard]] capture::Finding check_state_dir(const std::string& path, const std::string& user);

/// Of the wall clock, in seconds since 1970; `synchronised` is what the kernel says of it.
[[nodiscard]] capture::Finding check_clock(std::int64_t wall_s, bool synchronised);

}  // namespace flowtally::app
