// This file looks whether the folder that we see tailscaled's socket in is still one.
#pragma once

#include <string>

namespace flowtally::identity {

/// True where the folder of that path was removed while we hold on to it, as a container does that has it
/// mounted: systemd removes /run/tailscale when tailscaled stops and makes another when it starts. A removed
/// directory has no link (stat(2), st_nlink 0).
[[nodiscard]] bool socket_folder_removed(const std::string& socket) noexcept;

}  // namespace flowtally::identity
