#include "app/host_check.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/part_rights.hpp"
#include "base/unique_fd.hpp"
#include "rights/account.hpp"
#include "rights/capabilities.hpp"

namespace flowtally::app {
namespace {

using capture::Finding;
using State = capture::Finding::State;

Finding check_user(const base::Result<std::optional<rights::Account>>& account) {
  Finding finding{.what = "agent's user", .state = State::kFound, .text = {}, .remedy = {}};
  if (!account) {
    finding.state = State::kMissing;
    finding.text = account.error().text();
  } else if (!*account) {
    finding.state = State::kOptional;
    finding.text = fmt::format("stays user {}, without any capability", ::geteuid());
    finding.remedy =
        "For a user of its own run `useradd --system --no-create-home flowtally`, and give it CAP_SETUID "
        "and CAP_SETGID to become that";
  } else if (!rights::may_become(**account)) {
    finding.state = State::kMissing;
    finding.text = fmt::format("may not become {}", (*account)->name);
    finding.remedy = "Give it CAP_SETUID and CAP_SETGID too, or leave --user out";
  } else {
    finding.text =
        fmt::format("{} (user {}, group {})", (*account)->name, (*account)->user, (*account)->group);
  }
  return finding;
}

bool may_write(const struct stat& info, uid_t user, gid_t group) {
  if (info.st_uid == user) return (info.st_mode & S_IWUSR) != 0 && (info.st_mode & S_IXUSR) != 0;
  if (info.st_gid == group) return (info.st_mode & S_IWGRP) != 0 && (info.st_mode & S_IXGRP) != 0;
  return (info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_IXOTH) != 0;
}

Finding check_tailscaled(const std::string& path) {
  Finding finding{.what = "tailscaled", .state = State::kOptional, .text = {}, .remedy = {}};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const base::UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (path.size() >= sizeof(address.sun_path) || !probe.valid()) {
    finding.text = fmt::format("{} is no path of a socket", path);
    return finding;
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the sockets API
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    finding.state = State::kFound;
    finding.text = fmt::format("listens on {}", path);
    return finding;
  }
  finding.text =
      fmt::format("{}: {}; addresses have no names until it answers", path, base::errno_text(errno));
  finding.remedy =
      "Start tailscaled, mount the folder of its socket into the container, or give "
      "--tailscaled-socket; without Tailscale's own client --identity";
  return finding;
}

}  // namespace

Finding check_state_dir(const std::string& path, const std::string& user) {
  Finding finding{.what = "state directory", .state = State::kFound, .text = path, .remedy = {}};
  const auto account = agent_account(user);
  const rights::Account self{.user = ::geteuid(), .group = ::getegid(), .name = std::to_string(::geteuid())};
  const rights::Account who = account && *account ? **account : self;
  // The start gives it away where it may.
  const bool gives = rights::holds(rights::Capability::kChown);
  std::filesystem::path at = path;
  struct stat info{};
  bool there = true;
  while (::stat(at.c_str(), &info) != 0) {
    there = false;
    if (errno != ENOENT || !at.has_parent_path() || at.parent_path() == at) {
      finding.state = State::kMissing;
      finding.text = fmt::format("{}: {}", at.string(), base::errno_text(errno));
      finding.remedy = "Give another --state-dir";
      return finding;
    }
    at = at.parent_path();
  }
  if (!S_ISDIR(info.st_mode)) {
    finding.state = State::kMissing;
    finding.text = fmt::format("{} is no directory", at.string());
    finding.remedy = "Remove it, or give another --state-dir";
    return finding;
  }
  const bool writes =
      there ? may_write(info, who.user, who.group) || gives : may_write(info, ::geteuid(), ::getegid());
  const bool read_only = ::access(at.c_str(), W_OK) != 0 && errno == EROFS;
  if (writes && !read_only) {
    if (!there) finding.text = fmt::format("{}, which the start makes", path);
    if (auto fits = state_dir_fits(path, who); !fits) {
      // What the configuration puts there itself is not refused, and is not known here.
      finding.state = State::kOptional;
      finding.text = fmt::format("a start refuses it: {}", fits.error().text());
    }
    return finding;
  }
  finding.state = State::kMissing;
  finding.text = read_only ? fmt::format("{} is on a file system that is read-only", path)
                           : fmt::format("the user {} cannot write in {}", who.name, at.string());
  finding.remedy = read_only
                       ? "Mount a volume there, or give another --state-dir"
                       : fmt::format("Run `chown -R {}:{} {}`, or give CAP_CHOWN", who.user, who.group, path);
  return finding;
}

Finding check_clock(std::int64_t wall_s, bool synchronised) {
  constexpr std::int64_t kThisIsNewerThan = 1'767'225'600;  // 2026-01-01
  Finding finding{.what = "clock", .state = State::kFound, .text = {}, .remedy = {}};
  finding.text = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(wall_s)));
  if (wall_s < kThisIsNewerThan) {
    finding.state = State::kOptional;
    finding.text += ", which is before this program was made: records have wrong times";
    finding.remedy = "Set the clock";
  } else if (!synchronised) {
    finding.state = State::kOptional;
    finding.text += ", which nothing keeps right, as far as the kernel knows";
    finding.remedy = "Run chrony or systemd-timesyncd on the host";
  } else {
    finding.text += ", kept right";
  }
  return finding;
}

std::vector<Finding> check_host(const HostCheckOptions& options) {
  std::vector<Finding> findings;
  findings.push_back(check_user(agent_account(options.user)));
  findings.push_back(check_state_dir(options.state_dir, options.user));
  findings.push_back(check_tailscaled(options.tailscaled_socket));
  timex clock{};
  const int state = ::adjtimex(&clock);
  findings.push_back(check_clock(std::time(nullptr), state >= 0 && (clock.status & STA_UNSYNC) == 0));
  return findings;
}

}  // namespace flowtally::app
