// This file lists the links of the calling thread's network namespace, by rtnetlink(7): what getifaddrs(3)
// does not tell of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace flowtally::capture {

/// One link, in the fields of RTM_NEWLINK that matter here.
struct Link {
  std::uint32_t index = 0;
  std::string name{};
  std::uint32_t flags = 0;  ///< IFF_UP, IFF_LOOPBACK...
  std::string kind{};       ///< IFLA_INFO_KIND: "tun", "macvlan", "bridge"; empty for hardware
  std::string
      slave_kind{};  ///< IFLA_INFO_SLAVE_KIND: what it is a port of: "bridge", "bond", "vrf"; or empty
};

/// All of them, in the kernel's order.
[[nodiscard]] base::Result<std::vector<Link>> read_links();

}  // namespace flowtally::capture
