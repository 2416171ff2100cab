#include "capture/pins.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <utility>

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/kernel_check.hpp"
#include "capture/libbpf_log.hpp"
#include "flowtally/abi.h"

namespace flowtally::capture {
namespace {

constexpr std::string_view kNew = ":new";  // behind a name: pinned, and not yet in its place
constexpr std::string_view kAbi = "abi";
constexpr std::string_view kClosed = "-closed-";  // behind "abiN"; then boot and wall clock in nanoseconds

/// bpf_lookup() in kernel/bpf/inode.c refuses names with dots; a device's name cannot have a colon.
std::string pin_name(std::string_view name) {
  std::string text(name);
  std::ranges::replace(text, '.', ':');
  return text;
}

std::string own_abi() { return fmt::format("{}{}", kAbi, FT_ABI_VERSION); }

base::Result<std::uint64_t> network_namespace() {
  struct stat information{};
  if (::stat("/proc/thread-self/ns/net", &information) != 0) {
    return base::fail(base::Error::from_errno(errno, "read the network namespace of this thread"));
  }
  return information.st_ino;
}

}  // namespace

bool lock_within(int fd, std::chrono::milliseconds wait) noexcept {
  constexpr int kLookEveryMs = 10;
  const auto until = std::chrono::steady_clock::now() + wait;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() >= until) return false;
    ::poll(nullptr, 0, kLookEveryMs);
  }
  return true;
}

base::Result<PinDirectory> PinDirectory::make(std::string path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return base::fail(base::Error::from_errno(errno, fmt::format("make the directory {} for pins", path)));
  }
  // Who may open a pinned map may change the counts, whatever the umask was when the directory was made.
  if (::chmod(path.c_str(), 0700) != 0) {
    return base::fail(base::Error::from_errno(errno, fmt::format("close the directory {} to others", path)));
  }
  return PinDirectory(std::move(path));
}

std::string PinDirectory::path_of(std::string_view name) const {
  return fmt::format("{}/{}", path_, pin_name(name));
}

base::Result<base::UniqueFd> PinDirectory::get(std::string_view name) const {
  const LibbpfLog log;
  base::UniqueFd fd(bpf_obj_get(path_of(name).c_str()));
  if (fd.valid() || errno == ENOENT) return fd;
  return base::fail(base::Error::from_errno(errno, fmt::format("open the pin {}", path_of(name))));
}

bool PinDirectory::has(std::string_view name) const noexcept {
  return ::access(path_of(name).c_str(), F_OK) == 0;
}

base::Status PinDirectory::put(std::string_view name, int fd) const {
  const LibbpfLog log;
  const std::string aside = path_of(name).append(kNew);
  ::unlink(aside.c_str());
  if (bpf_obj_pin(fd, aside.c_str()) != 0) {
    return base::fail(base::Error::from_errno(errno, fmt::format("pin {}", path_of(name))));
  }
  if (std::rename(aside.c_str(), path_of(name).c_str()) != 0) {
    const int error = errno;
    ::unlink(aside.c_str());
    return base::fail(base::Error::from_errno(error, fmt::format("put the pin {} in place", path_of(name))));
  }
  return {};
}

void PinDirectory::remove(std::string_view name) const noexcept { ::unlink(path_of(name).c_str()); }

base::Status PinDirectory::rename(std::string_view from, std::string_view to) const {
  if (std::rename(path_of(from).c_str(), path_of(to).c_str()) == 0) return {};
  return base::fail(base::Error::from_errno(errno, fmt::format("rename the pin {}", path_of(from))));
}

std::vector<std::string> PinDirectory::names() const {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path_.c_str()), ::closedir);
  if (!directory) return names;
  while (const dirent* const entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

void PinDirectory::clear() const noexcept {
  for (const std::string& name : names()) {
    const std::string path = fmt::format("{}/{}", path_, name);
    if (::unlink(path.c_str()) != 0) PinDirectory(path).remove_all();
  }
}

void PinDirectory::remove_all() const noexcept {
  clear();
  ::rmdir(path_.c_str());
}

base::Result<Pins> Pins::open(const std::string& bpffs, const std::string& interface,
                              std::chrono::milliseconds wait) {
  if (auto mounted = require_bpffs(bpffs); !mounted) return base::fail(std::move(mounted.error()));
  const auto netns = network_namespace();
  if (!netns) return base::fail(netns.error());
  const auto root = PinDirectory::make(fmt::format("{}/{}", bpffs, kPinsFolder));
  if (!root) return base::fail(root.error());
  auto links = PinDirectory::make(fmt::format("{}/{}-{}", root->path(), *netns, pin_name(interface)));
  if (!links) return base::fail(std::move(links.error()));
  base::UniqueFd lock(::open(links->path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.valid()) {
    return base::fail(base::Error::from_errno(errno, fmt::format("open {}", links->path())));
  }
  if (!lock_within(lock.get(), wait)) {
    if (errno != EWOULDBLOCK) {
      return base::fail(base::Error::from_errno(errno, fmt::format("lock {}", links->path())));
    }
    return base::fail(
        base::Error(base::ErrorCode::kResource,
                    fmt::format("another flowtally counts {} and holds {}", interface, links->path()))
            .advise("Stop it first"));
  }
  auto maps = PinDirectory::make(fmt::format("{}/{}", links->path(), own_abi()));
  if (!maps) return base::fail(std::move(maps.error()));
  return Pins(std::move(lock), std::move(*links), std::move(*maps));
}

std::vector<PinDirectory> Pins::foreign_maps() const {
  std::vector<PinDirectory> found;
  for (const std::string& name : links_.names()) {
    if (!name.starts_with(kAbi) || name == own_abi()) continue;
    if (auto directory = PinDirectory::make(fmt::format("{}/{}", links_.path(), name))) {
      found.push_back(std::move(*directory));
    }
  }
  return found;
}

base::Result<PinDirectory> Pins::set_aside(const PinDirectory& maps, base::Moment now) const {
  if (set_aside_since(maps)) return maps;
  const std::string aside = fmt::format("{}{}{}-{}", maps.path(), kClosed, now.boot_ns, now.wall_ns);
  if (std::rename(maps.path().c_str(), aside.c_str()) != 0) {
    return base::fail(base::Error::from_errno(errno, fmt::format("set {} aside", maps.path())));
  }
  return PinDirectory::make(aside);
}

std::optional<base::Moment> Pins::set_aside_since(const PinDirectory& maps) {
  const std::string_view path = maps.path();
  const std::size_t at = path.rfind(kClosed);
  if (at == std::string_view::npos) return std::nullopt;
  const char* const end = path.data() + path.size();
  base::Moment since;
  const auto boot = std::from_chars(path.data() + at + kClosed.size(), end, since.boot_ns);
  if (boot.ec != std::errc{} || boot.ptr == end) return std::nullopt;
  const auto wall = std::from_chars(boot.ptr + 1, end, since.wall_ns);
  return wall.ec == std::errc{} && wall.ptr == end ? std::optional(since) : std::nullopt;
}

base::Status Pins::mark_complete(int control_fd) const { return maps_.put(kComplete, control_fd); }

base::Status Pins::discard() const {
  links_.clear();
  if (auto made = PinDirectory::make(maps_.path()); !made) return base::fail(std::move(made.error()));
  return {};
}

}  // namespace flowtally::capture
