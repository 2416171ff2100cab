#include "app/part_rights.hpp"

#include <array>
#include <filesystem>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "capture/kernel_check.hpp"
#include "rights/capabilities.hpp"
#include "rights/folders.hpp"
#include "rights/private_memory.hpp"
#include "rights/system_calls.hpp"
#include "sink/log_name.hpp"

namespace flowtally::app {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using rights::Account;
using rights::Capability;

/// What a run has in its state directory.
constexpr std::array<std::string_view, 7> kStateNames = {
    "network", "configuration", "sinks", "streams.yaml", "log-streams.json", "version", "node-id"};

/// The first step of the way from `folder` to `path`, if that is below it.
std::string name_in(const std::string& folder, const std::string& path) {
  using Path = std::filesystem::path;
  const Path way = Path(path).lexically_normal().lexically_relative(Path(folder).lexically_normal());
  if (way.empty() || *way.begin() == "." || *way.begin() == "..") return {};
  return way.begin()->string();
}

/// What the settings put there too: the socket, copies of the records.
std::vector<std::string> names_beside(const RunOptions& options) {
  std::vector<std::string> paths = {options.socket, options.output.value_or("")};
  for (const model::SinkSettings& sink : options.sinks) {
    const auto* const file = std::get_if<model::FileSettings>(&sink.receiver);
    if (file == nullptr) continue;
    for (const model::LogType log : {model::LogType::kNetwork, model::LogType::kConfiguration})
      paths.push_back(sink::with_log_name(file->path, log));
  }
  std::vector<std::string> names;
  for (const std::string& path : paths) {
    if (std::string name = name_in(options.state_dir, path); !name.empty()) names.push_back(std::move(name));
  }
  return names;
}

base::Status give_folders(const RunOptions& options, const Account& account) {
  if (!options.journal) return {};
  const std::vector<std::string> beside = names_beside(options);
  std::vector<std::string_view> names(kStateNames.begin(), kStateNames.end());
  names.insert(names.end(), beside.begin(), beside.end());
  if (auto given = rights::give_folder(options.state_dir, account, names); !given) {
    return fail(
        std::move(given.error()).during(fmt::format("take the state directory {}", options.state_dir)));
  }
  return rights::give_socket_folder(options.socket, account);
}

/// An agent of root's has not become another user: what that means, and what to do.
std::string still_root() {
  std::string steps;
  if (!rights::holds(Capability::kSetUid) || !rights::holds(Capability::kSetGid))
    steps = "give it CAP_SETUID and CAP_SETGID";
  if (!rights::default_account()) {
    if (!steps.empty()) steps += ", and ";
    steps += fmt::format("run `useradd --system --no-create-home {}` or name a user by --user",
                         rights::kDefaultUser);
  }
  return fmt::format(
      "the agent is still root: it has no capability, but files of root's are its own. For a user of its own "
      "{}",
      steps);
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

base::Status state_dir_fits(const std::string& path, const Account& account) {
  return rights::may_give_folder(path, account, kStateNames);
}

base::Result<AgentRights> become_agent(const RunOptions& options) {
  auto account = agent_account(options.user);
  if (!account) return fail(std::move(account.error()).during("choose the user of the agent"));
  AgentRights made;
  const bool root = ::geteuid() == 0;
  Account who{.user = ::geteuid(), .group = ::getegid(), .name = root ? "root" : std::to_string(::geteuid())};
  if (*account) {
    who = **account;
    if (!rights::may_become(who)) {
      return fail(Error(ErrorCode::kPermission, fmt::format("may not become the user {}", who.name))
                      .advise("Give it CAP_SETUID and CAP_SETGID too, or leave --user out"));
    }
    made.text = fmt::format("the agent has no capability, its user is {}", who.name);
  } else {
    made.text = fmt::format("the agent has no capability, its user is still {}", who.name);
    if (root) made.warning = still_root();
  }
  auto groups = groups_of(options);
  if (!groups) return fail(std::move(groups.error()));
  // What was another user's is out of reach for root too, once it has no capability.
  auto step = give_folders(options, who);
  rights::bound_to({});
  if (step) step = rights::become(who, *groups);
  if (step) step = rights::keep_only({});
  if (step) step = rights::keep_memory_private();
  if (step) step = rights::forbid_new_privileges();
  if (step) step = rights::allow_only_agent_calls();
  if (!step) return fail(std::move(step.error()));
  if (const auto more = rights::other_groups(); more != *groups && !more.empty())
    made.text += fmt::format(", it is in the groups {} too", fmt::join(more, ", "));
  return made;
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
  if (step) step = rights::keep_memory_private();
  if (step) step = rights::forbid_new_privileges();
  if (step) step = rights::allow_only_capturer_calls();
  return step;
}

}  // namespace flowtally::app
