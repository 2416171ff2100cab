// This file says which rights each of the two processes has, and gives up the others.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/commands.hpp"
#include "base/result.hpp"
#include "rights/account.hpp"

namespace flowtally::app {

/// The user that the agent is to be, by --user, which `user` is, or as it stands: the user flowtally where
/// the host has one and this process may become it; none: it stays who it is.
[[nodiscard]] base::Result<std::optional<rights::Account>> agent_account(const std::string& user);

struct AgentRights {
  std::string text;     ///< what it came to, for people
  std::string warning;  ///< what is less than it should be, and what to do; mostly empty
};

/// Gives up what the agent does not need, which is every capability: folders it writes in are made and given
/// to its user first, as long as there are rights for that. Before there are threads.
[[nodiscard]] base::Result<AgentRights> become_agent(const RunOptions& options);

/// Whether become_agent() would give that state directory to the account, as far as can be told without the
/// configuration, which may put more into it.
[[nodiscard]] base::Status state_dir_fits(const std::string& path, const rights::Account& account);

/// In the capturer: keeps the capabilities that loading and attaching need, of those that are held.
[[nodiscard]] base::Status keep_capturer_rights();

}  // namespace flowtally::app
