// This file makes the node id of a host that nobody has named.
#pragma once

#include <string>

#include "base/result.hpp"

namespace flowtally::app {

/// "n" + 16 hex digits + "LOCAL", derived from the machine id as sd_id128_get_machine_app_specific(3) does
/// it: the same on every start of this host, different on every other, and the machine id, which is to stay
/// secret, cannot be told from it. A container may have no machine id: then a random one is kept in
/// `state_dir`, which is made if need be; empty: nothing can be kept, and that is an error.
[[nodiscard]] base::Result<std::string> machine_node_id(
    const std::string& state_dir, const std::string& machine_id_file = "/etc/machine-id");

/// /proc/sys/kernel/random/boot_id, without the line end.
[[nodiscard]] base::Result<std::string> boot_id();

}  // namespace flowtally::app
