// This file finds out what this kernel, these rights and these mounts allow: the rows of `flowtally check`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace flowtally::capture {

/// One thing that flowtally needs or can use.
struct Finding {
  enum class State : std::uint8_t {
    kFound,
    kMissing,   ///< flowtally cannot run without it
    kOptional,  ///< not there; flowtally runs with what `text` says
  };
  std::string what;  ///< "TCX links"
  State state{};
  std::string text;    ///< what was seen
  std::string remedy;  ///< what to do; empty if found
};

/// Tries everything for real (makes maps, loads the program) and takes it away again. `interface` and `bpffs`
/// are what the user would run with. Never fails: what fails is a finding.
[[nodiscard]] std::vector<Finding> check_kernel(const std::string& interface, const std::string& bpffs);

/// kUnsupported with a remedy where the kernel is older than 5.10.
[[nodiscard]] base::Status require_kernel();

/// Fails where `directory` is not a mounted BPF file system.
[[nodiscard]] base::Status require_bpffs(const std::string& directory);

/// "5.10.0-18-amd64" and the like to (5, 10); (0, 0) for what is no version. Pure.
struct KernelVersion {
  unsigned major = 0;
  unsigned minor = 0;
  friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};
[[nodiscard]] KernelVersion parse_kernel_version(const std::string& release) noexcept;

/// Of the kernel that runs; (0, 0) where it does not tell.
[[nodiscard]] KernelVersion running_kernel() noexcept;

}  // namespace flowtally::capture
