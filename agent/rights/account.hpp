// This file is about the user that the large part of flowtally runs as.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"

namespace flowtally::rights {

/// Taken where nobody names a user and the host has it.
inline constexpr const char* kDefaultUser = "flowtally";

struct Account {
  uid_t user = 0;
  gid_t group = 0;
  std::string name;  ///< as it was given, for messages

  friend bool operator==(const Account&, const Account&) = default;
};

/// A name of the host's database, "UID" or "UID:GID". A number alone has the group that the database says, or
/// the same number where it does not know it, as in a container. kNotFound, kInvalidArgument.
[[nodiscard]] base::Result<Account> find_account(const std::string& text);

/// kDefaultUser, where there is one.
[[nodiscard]] std::optional<Account> default_account();

/// Number of a group by its name or by itself.
[[nodiscard]] base::Result<gid_t> find_group(const std::string& text);

/// This process, all its threads to come, and for good: that user, its group, and of other groups only
/// `groups`. Needs CAP_SETUID and CAP_SETGID unless nothing would change. Without CAP_SETGID other groups
/// stay as they are: kPermission if one of `groups` is not among them. Call it before there are threads.
[[nodiscard]] base::Status become(const Account& account, const std::vector<gid_t>& groups);

/// The groups of this process beside its own.
[[nodiscard]] std::vector<gid_t> other_groups();

/// become() would be let.
[[nodiscard]] bool may_become(const Account& account);

}  // namespace flowtally::rights
