// This file reads and gives up capabilities (capabilities(7)), by libcap.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.hpp"

namespace flowtally::rights {

/// Those that flowtally has to do with, by their numbers in linux/capability.h.
enum class Capability : std::uint8_t {
  kChown = 0,
  kSetGid = 6,
  kSetUid = 7,
  kNetAdmin = 12,
  kSysAdmin = 21,
  kSysResource = 24,
  kPerfmon = 38,
  kBpf = 39,
};

/// It is effective in this thread.
[[nodiscard]] bool holds(Capability capability) noexcept;

/// No program that is executed can gain any but these (the bounding set). Needs CAP_SETPCAP, and does nothing
/// without it: forbid_new_privileges() holds all the same. Before there are threads, and before become().
void bound_to(std::span<const Capability> kept) noexcept;

/// Gives up all capabilities but these, of which those that are not held are not gained: effective,
/// permitted, inheritable and ambient. For good. Before there are threads.
[[nodiscard]] base::Status keep_only(std::span<const Capability> kept);

/// From now on nothing that is executed gains rights (PR_SET_NO_NEW_PRIVS); seccomp filters need it.
[[nodiscard]] base::Status forbid_new_privileges();

/// Effective ones as capabilities(7) writes them, such as "cap_net_admin,cap_bpf=ep"; "=" is none.
[[nodiscard]] std::string held_text();

}  // namespace flowtally::rights
