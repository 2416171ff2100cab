// This file gives folders to the user that is to write in them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "rights/account.hpp"

namespace flowtally::rights {

/// Makes `path` (mode 0750) and the folders above it where they are missing, and gives it to `account` with
/// all that is in it, where it belongs to somebody else and this process may do so. A folder that is the
/// account's is not looked into: whatever stands in there is its own.
///
/// A folder is given away only if there is nothing in it but what is called as one of `own_names`, or so with
/// a dot and more behind it: kInvalidArgument otherwise, also if a file has a second name elsewhere, and
/// nothing is changed. One in which everybody may write and nobody clear, as /tmp, is left as it is. `path`
/// itself may be a link; links below it are given away as such, never what they point to. Call it as long as
/// rights are held.
[[nodiscard]] base::Status give_folder(const std::string& path, const Account& account,
                                       std::span<const std::string_view> own_names);

/// Whether give_folder() would refuse it, as it is now; nothing is made or changed.
[[nodiscard]] base::Status may_give_folder(const std::string& path, const Account& account,
                                           std::span<const std::string_view> own_names);

/// The same for the folder of a socket, but one that is there already is given away only if it bears our name
/// and holds nothing but sockets: /run is not ours, and /home/flowtally is somebody's home.
[[nodiscard]] base::Status give_socket_folder(const std::string& socket, const Account& account);

}  // namespace flowtally::rights
