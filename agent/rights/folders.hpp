// This file gives folders to the user that is to write in them.
#pragma once

#include <string>

#include "base/result.hpp"
#include "rights/account.hpp"

namespace flowtally::rights {

/// Makes `path` and the folders above it where they are missing, and gives it to `account` with all that is
/// in it, where it belongs to somebody else and this process may do so. A folder that is the account's is not
/// looked into: whatever stands in there is its own. Links are given away as such, never what they point to.
/// Call it as long as rights are held.
[[nodiscard]] base::Status give_folder(const std::string& path, const Account& account);

/// The same for the folder of a socket, but one that is there already is given away only if it bears our
/// name: /run is not ours.
[[nodiscard]] base::Status give_socket_folder(const std::string& socket, const Account& account);

}  // namespace flowtally::rights
