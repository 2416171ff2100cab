#include "rights/account.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "rights/capabilities.hpp"

namespace flowtally::rights {
namespace {

constexpr std::size_t kEntryBytes = std::size_t{64} << 10U;

using base::Error;
using base::ErrorCode;
using base::fail;

std::optional<unsigned> number_in(std::string_view text) {
  unsigned number = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  // -1 stands for "as it is" in setresuid(2).
  if (text.empty() || read.ec != std::errc{} || read.ptr != end || number == static_cast<unsigned>(-1))
    return std::nullopt;
  return number;
}

std::optional<Account> by_name(const std::string& name) {
  std::vector<char> room(kEntryBytes);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, room.data(), room.size(), &found) != 0 || found == nullptr)
    return std::nullopt;
  return Account{.user = found->pw_uid, .group = found->pw_gid, .name = name};
}

std::optional<gid_t> group_of(uid_t user) {
  std::vector<char> room(kEntryBytes);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, room.data(), room.size(), &found) != 0 || found == nullptr)
    return std::nullopt;
  return found->pw_gid;
}

}  // namespace

base::Result<Account> find_account(const std::string& text) {
  const std::string_view all = text;
  const std::size_t colon = all.find(':');
  if (const auto user = number_in(all.substr(0, colon))) {
    if (colon == std::string_view::npos)
      return Account{.user = *user, .group = group_of(*user).value_or(*user), .name = text};
    if (const auto group = number_in(all.substr(colon + 1)))
      return Account{.user = *user, .group = *group, .name = text};
  }
  if (colon != std::string_view::npos || text.empty()) {
    return fail(Error(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no user", text))
                    .advise("Give a name, or numbers as 65532 or 65532:65532"));
  }
  if (auto account = by_name(text)) return *std::move(account);
  return fail(
      Error(ErrorCode::kNotFound, fmt::format("there is no user {}", text))
          .advise(fmt::format("Run `useradd --system --no-create-home {}`, or give its number", text)));
}

std::optional<Account> default_account() { return by_name(kDefaultUser); }

base::Result<gid_t> find_group(const std::string& text) {
  if (const auto number = number_in(text)) return *number;
  std::vector<char> room(kEntryBytes);
  group entry{};
  group* found = nullptr;
  const int code = ::getgrnam_r(text.c_str(), &entry, room.data(), room.size(), &found);
  if (found != nullptr) return found->gr_gid;
  if (code != 0) return fail(Error::from_errno(code, fmt::format("look up the group {}", text)));
  return fail(Error(ErrorCode::kNotFound, fmt::format("there is no group {}", text))
                  .advise(fmt::format("Run `groupadd --system {}`", text)));
}

bool may_become(const Account& account) {
  if (::geteuid() == account.user && ::getegid() == account.group) return true;
  return holds(Capability::kSetUid) && holds(Capability::kSetGid);
}

std::vector<gid_t> other_groups() {
  std::vector<gid_t> all(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
  const int count = ::getgroups(static_cast<int>(all.size()), all.data());
  all.resize(static_cast<std::size_t>(std::max(count, 0)));
  std::erase(all, ::getegid());
  return all;
}

base::Status become(const Account& account, const std::vector<gid_t>& groups) {
  const std::string step = fmt::format("become the user {}", account.name);
  if (holds(Capability::kSetGid)) {
    if (::setgroups(groups.size(), groups.data()) != 0)
      return fail(Error::from_errno(errno, step + ": set its groups"));
  } else {
    const std::vector<gid_t> held = other_groups();
    for (const gid_t wanted : groups) {
      if (wanted == account.group || std::ranges::find(held, wanted) != held.end()) continue;
      return fail(Error(ErrorCode::kPermission, fmt::format("{}: it is not in the group {}", step, wanted))
                      .advise("Start it in that group, or give it CAP_SETGID"));
    }
  }
  if (::setresgid(account.group, account.group, account.group) != 0)
    return fail(Error::from_errno(errno, step + ": set its group"));
  if (::setresuid(account.user, account.user, account.user) != 0) return fail(Error::from_errno(errno, step));
  return {};
}

}  // namespace flowtally::rights
