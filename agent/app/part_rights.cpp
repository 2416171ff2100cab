#include "app/part_rights.hpp"

#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "capture/kernel_check.hpp"
#include "rights/capabilities.hpp"
#include "rights/folders.hpp"
#include "rights/system_calls.hpp"

namespace flowtally::app {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using rights::Account;
using rights::Capability;

base::Status give_folders(const RunOptions& options, const Account& account) {
  if (!options.journal) return {};
  if (auto given = rights::give_folder(options.state_dir, account); !given) return given;
  return rights::give_socket_folder(options.socket, account);
}

/// A group that the socket is given to must be one of the agent's: it may not give it to any other.
base::Result<std::vector<gid_t>> groups_of(const RunOptions& options) {
  if (options.socket_group.empty() || !options.journal) return std::vector<gid_t>();
  auto group = rights::find_group(options.socket_group);
  if (!group) return fail(std::move(group.error()));
  return std::vector<gid_t>{*group};
}

}  // namespace

base::Result<std::optional<Account>> agent_account(const std::string& user) {
  if (!user.empty()) return rights::find_account(user);
  std::optional<Account> account = rights::default_account();
  if (account && !rights::may_become(*account)) account.reset();
  return account;
}

base::Result<std::string> become_agent(const RunOptions& options) {
  auto account = agent_account(options.user);
  if (!account) return fail(std::move(account.error()).during("choose the user of the agent"));
  std::string who =
      fmt::format("its user is still {}", ::geteuid() == 0 ? "root" : std::to_string(::geteuid()));
  if (*account) {
    if (!rights::may_become(**account)) {
      return fail(Error(ErrorCode::kPermission, fmt::format("may not become the user {}", (*account)->name))
                      .advise("Give it CAP_SETUID and CAP_SETGID too, or leave --user out"));
    }
    auto groups = groups_of(options);
    if (!groups) return fail(std::move(groups.error()));
    auto step = give_folders(options, **account);
    rights::bound_to({});
    if (step) step = rights::become(**account, *groups);
    if (!step) return fail(std::move(step.error()));
    who = fmt::format("its user is {}", (*account)->name);
  } else {
    // What was another user's is out of reach for root too, once it has no capability.
    const Account self{.user = ::geteuid(), .group = ::getegid(), .name = std::to_string(::geteuid())};
    if (auto given = give_folders(options, self); !given) return fail(std::move(given.error()));
    rights::bound_to({});
  }
  if (auto kept = rights::keep_only({}); !kept) return fail(std::move(kept.error()));
  if (auto none = rights::forbid_new_privileges(); !none) return fail(std::move(none.error()));
  if (auto filter = rights::allow_only_agent_calls(); !filter) return fail(std::move(filter.error()));
  return fmt::format("the agent has no capability, {}", who);
}

base::Status keep_capturer_rights() {
  std::vector<Capability> kept = {Capability::kBpf, Capability::kNetAdmin, Capability::kPerfmon};
  // Memory of maps was locked memory until then, and libbpf raises its limit.
  constexpr capture::KernelVersion kMapsAreCharged{.major = 5, .minor = 11};
  if (capture::running_kernel() < kMapsAreCharged) kept.push_back(Capability::kSysResource);
  // A container's runtime that does not know CAP_BPF gives this one in its place.
  if (!rights::holds(Capability::kBpf)) kept.push_back(Capability::kSysAdmin);
  rights::bound_to(kept);
  auto step = rights::keep_only(kept);
  if (step) step = rights::forbid_new_privileges();
  if (step) step = rights::allow_only_capturer_calls();
  return step;
}

}  // namespace flowtally::app
