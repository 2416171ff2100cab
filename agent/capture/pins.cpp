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

/// Locks a directory for one holder (flock(2)), and tries again until `wait` is over. False: errno says why,
/// EWOULDBLOCK where another still has it.
bool lock_within(int fd, std::chrono::milliseconds wait) noexcept {
  constexpr int kLookEveryMs = 10;
  const auto until = std::chrono::steady_clock::now() + wait;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() >= until) return false;
    ::poll(nullptr, 0, kLookEveryMs);
  }
  return true;
}

/// What stands where a directory of ours should be is not ours.
base::Error not_ours(const std::string& path, const std::string& what) {
  return base::Error(base::ErrorCode::kPermission, fmt::format("{} is {}", path, what))
      .advise(
          "Find out who made it, remove it, and mount the BPF file system with mode=0700, so that only root "
          "can make anything there");
}

}  // namespace

base::Result<PinDirectory> PinDirectory::root(const std::string& bpffs) {
  if (auto mounted = require_bpffs(bpffs); !mounted) return base::fail(std::move(mounted.error()));
  auto above =
      std::make_shared<const base::UniqueFd>(::open(bpffs.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!above->valid()) return base::fail(base::Error::from_errno(errno, fmt::format("open {}", bpffs)));
  return open(above, bpffs, kPinsFolder, Missing::kMake);
}

base::Status PinDirectory::try_root(const std::string& bpffs) {
  const auto ours = root(bpffs);
  if (!ours) return base::fail(ours.error());
  // In it, too: a file system may have become read-only with our directory in it.
  const auto tried = ours->make(fmt::format("check_{}", ::getpid()));
  if (tried) tried->remove_all();
  ::unlinkat(ours->parent_->get(), ours->name_.c_str(), AT_REMOVEDIR);  // where it is empty
  if (!tried) return base::fail(tried.error());
  return {};
}

base::Result<PinDirectory> PinDirectory::make(std::string_view name) const {
  return open(self_, path_, pin_name(name), Missing::kMake);
}

base::Result<PinDirectory> PinDirectory::open(const Descriptor& parent, const std::string& above,
                                              std::string_view name, Missing missing) {
  std::string text(name);
  std::string path = fmt::format("{}/{}", above, name);
  if (missing == Missing::kMake && ::mkdirat(parent->get(), text.c_str(), 0700) != 0 && errno != EEXIST) {
    auto error = base::Error::from_errno(errno, fmt::format("make the directory {} for pins", path));
    if (error.code() != base::ErrorCode::kPermission) return base::fail(std::move(error));
    return base::fail(std::move(error).advise(
        "In a container AppArmor's usual profile forbids to write below /sys: mount the host's "
        "BPF file system at /bpf and give --bpffs /bpf; it must not be read-only"));
  }
  auto self = std::make_shared<const base::UniqueFd>(
      ::openat(parent->get(), text.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!self->valid()) {
    if (errno == ELOOP || errno == ENOTDIR)
      return base::fail(not_ours(path, "no directory, but a link or a file"));
    return base::fail(base::Error::from_errno(errno, fmt::format("open the directory {}", path)));
  }
  struct stat information{};
  if (::fstat(self->get(), &information) != 0)
    return base::fail(base::Error::from_errno(errno, fmt::format("look at the directory {}", path)));
  if (information.st_uid != ::geteuid())
    return base::fail(not_ours(path, fmt::format("a directory of user {}", information.st_uid)));
  // Who may open a pinned map may change the counts, whatever the umask was when the directory was made.
  if (::fchmod(self->get(), 0700) != 0)
    return base::fail(base::Error::from_errno(errno, fmt::format("close the directory {} to others", path)));
  return PinDirectory(parent, std::move(self), std::move(text), std::move(path));
}

std::string PinDirectory::path_of(std::string_view name) const {
  return fmt::format("{}/{}", path_, pin_name(name));
}

/// For bpf(2), which takes descriptors of directories since Linux 6.5 only.
std::string PinDirectory::way_to(std::string_view name) const {
  return fmt::format("/proc/thread-self/fd/{}/{}", fd(), pin_name(name));
}

base::Result<base::UniqueFd> PinDirectory::get(std::string_view name) const {
  const LibbpfLog log;
  base::UniqueFd pinned(bpf_obj_get(way_to(name).c_str()));
  if (pinned.valid() || errno == ENOENT) return pinned;
  return base::fail(base::Error::from_errno(errno, fmt::format("open the pin {}", path_of(name))));
}

bool PinDirectory::has(std::string_view name) const noexcept {
  return ::faccessat(fd(), pin_name(name).c_str(), F_OK, 0) == 0;
}

base::Status PinDirectory::put(std::string_view name, int pinned_fd) const {
  const LibbpfLog log;
  const std::string place = pin_name(name);
  const std::string aside = place + std::string(kNew);
  ::unlinkat(fd(), aside.c_str(), 0);
  if (bpf_obj_pin(pinned_fd, way_to(aside).c_str()) != 0) {
    return base::fail(base::Error::from_errno(errno, fmt::format("pin {}", path_of(name))));
  }
  if (::renameat(fd(), aside.c_str(), fd(), place.c_str()) != 0) {
    const int error = errno;
    ::unlinkat(fd(), aside.c_str(), 0);
    return base::fail(base::Error::from_errno(error, fmt::format("put the pin {} in place", path_of(name))));
  }
  return {};
}

void PinDirectory::remove(std::string_view name) const noexcept {
  ::unlinkat(fd(), pin_name(name).c_str(), 0);
}

base::Status PinDirectory::rename(std::string_view from, std::string_view to) const {
  if (::renameat(fd(), pin_name(from).c_str(), fd(), pin_name(to).c_str()) == 0) return {};
  return base::fail(base::Error::from_errno(errno, fmt::format("rename the pin {}", path_of(from))));
}

std::vector<std::string> PinDirectory::names() const {
  std::vector<std::string> names;
  // A descriptor of its own: a copy would share the place in the list.
  base::UniqueFd again(::openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again.valid()) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(again.get()), ::closedir);
  if (!directory) return names;
  static_cast<void>(again.release());
  while (const dirent* const entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

base::Result<base::UniqueFd> PinDirectory::lock(std::chrono::milliseconds wait) const {
  base::UniqueFd locked(::openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!locked.valid()) return base::fail(base::Error::from_errno(errno, fmt::format("open {}", path_)));
  if (lock_within(locked.get(), wait)) return locked;
  if (errno != EWOULDBLOCK) return base::fail(base::Error::from_errno(errno, fmt::format("lock {}", path_)));
  return base::fail(
      base::Error(base::ErrorCode::kResource, fmt::format("a flowtally that runs holds {}", path_))
          .advise("Stop it first"));
}

void PinDirectory::clear() const noexcept {
  for (const std::string& name : names()) {
    if (::unlinkat(fd(), name.c_str(), 0) == 0) continue;
    if (const auto below = open(self_, path_, name, Missing::kFail)) below->remove_all();
  }
}

void PinDirectory::remove_all() const noexcept {
  clear();
  ::unlinkat(parent_->get(), name_.c_str(), AT_REMOVEDIR);
}

base::Result<Pins> Pins::open(const std::string& bpffs, const std::string& interface,
                              std::chrono::milliseconds wait) {
  const auto netns = network_namespace();
  if (!netns) return base::fail(netns.error());
  const auto root = PinDirectory::root(bpffs);
  if (!root) return base::fail(root.error());
  auto links = root->make(fmt::format("{}-{}", *netns, interface));
  if (!links) return base::fail(std::move(links.error()));
  auto lock = links->lock(wait);
  if (!lock) return base::fail(std::move(lock.error()).during(fmt::format("count {}", interface)));
  auto maps = links->make(own_abi());
  if (!maps) return base::fail(std::move(maps.error()));
  return Pins(std::move(*lock), std::move(*links), std::move(*maps));
}

std::vector<PinDirectory> Pins::foreign_maps() const {
  std::vector<PinDirectory> found;
  for (const std::string& name : links_.names()) {
    if (!name.starts_with(kAbi) || name == own_abi()) continue;
    if (auto directory = links_.make(name)) found.push_back(std::move(*directory));
  }
  return found;
}

base::Result<PinDirectory> Pins::set_aside(const PinDirectory& maps, base::Moment now) const {
  if (set_aside_since(maps)) return maps;
  const std::string aside = fmt::format("{}{}{}-{}", maps.name(), kClosed, now.boot_ns, now.wall_ns);
  if (auto renamed = links_.rename(maps.name(), aside); !renamed) {
    return base::fail(std::move(renamed.error()).during(fmt::format("set {} aside", maps.path())));
  }
  return links_.make(aside);
}

std::optional<base::Moment> Pins::set_aside_since(const PinDirectory& maps) {
  const std::string_view name = maps.name();
  const std::size_t at = name.rfind(kClosed);
  if (at == std::string_view::npos) return std::nullopt;
  const char* const end = name.data() + name.size();
  base::Moment since;
  const auto boot = std::from_chars(name.data() + at + kClosed.size(), end, since.boot_ns);
  if (boot.ec != std::errc{} || boot.ptr == end) return std::nullopt;
  const auto wall = std::from_chars(boot.ptr + 1, end, since.wall_ns);
  return wall.ec == std::errc{} && wall.ptr == end ? std::optional(since) : std::nullopt;
}

base::Status Pins::mark_complete(int control_fd) const { return maps_.put(kComplete, control_fd); }

base::Status Pins::discard() {
  links_.clear();
  auto made = links_.make(maps_.name());
  if (!made) return base::fail(std::move(made.error()));
  maps_ = std::move(*made);  // the one that was open is gone
  return {};
}

}  // namespace flowtally::capture
