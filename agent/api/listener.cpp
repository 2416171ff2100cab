// This file deals with a socket's file. It is made under another name and renamed: a rename replaces a stale
// one in one step, and what clients can see is never half made.
#include "api/listener.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/passed_sockets.hpp"

namespace flowtally::api {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

constexpr int kBacklog = 512;
constexpr mode_t kSocketMode = 0660;
constexpr mode_t kFolderMode = 0755;
constexpr std::size_t kGroupBytesMax = std::size_t{64} << 10U;

Error errno_error(std::string what) { return Error::from_errno(errno, std::move(what)); }

union AnyAddress {
  sockaddr any;
  sockaddr_un local;
  sockaddr_in v4;
  sockaddr_in6 v6;
  sockaddr_storage storage;
};

base::Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path) || path.find('\0') != std::string::npos) {
    return fail(Error(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no path of a socket", path))
                    .advise(fmt::format("Give one of 1 to {} bytes", sizeof(address.sun_path) - 1)));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

base::UniqueFd open_socket(int family) {
  return base::UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/// The folder of a path, made if it is missing; not its parents, which are somebody else's.
base::Status make_folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return {};
  const std::string folder = path.substr(0, slash);
  if (::mkdir(folder.c_str(), kFolderMode) == 0) {
    if (::chmod(folder.c_str(), kFolderMode) == 0) return {};  // whatever the umask took away
  } else if (errno == EEXIST) {
    return {};
  }
  return fail(errno_error(fmt::format("make the folder {}", folder)));
}

/// Fails if somebody listens there, or if what is there is no socket.
base::Status check_free(const std::string& path, const sockaddr_un& address) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail(errno_error(fmt::format("look at {}", path)));
  }
  if (!S_ISSOCK(info.st_mode)) {
    return fail(Error(ErrorCode::kInvalidArgument, fmt::format("{} is there and no socket", path))
                    .advise("Give another path, or remove it"));
  }
  const base::UniqueFd probe = open_socket(AF_UNIX);
  AnyAddress to{};
  to.local = address;
  if (!probe.valid()) return fail(errno_error("make a socket"));
  const bool listens = ::connect(probe.get(), &to.any, sizeof(to.local)) == 0 || errno == EAGAIN;
  if (!listens && (errno == ECONNREFUSED || errno == ENOENT)) return {};
  if (!listens) return fail(errno_error(fmt::format("see whether anybody listens on {}", path)));
  ucred owner{};
  socklen_t size = sizeof(owner);
  static_cast<void>(::getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &owner, &size));
  return fail(Error(ErrorCode::kResource, fmt::format("process {} listens on {} already", owner.pid, path))
                  .advise("Stop the other flowtally, or give this one another --socket"));
}

/// By name or by number, as there may be no database in a container.
base::Result<gid_t> find_group(const std::string& name) {
  if (name.empty()) return ::getegid();
  gid_t number = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  if (read.ec == std::errc() && read.ptr == name.data() + name.size()) return number;
  std::vector<char> room(kGroupBytesMax);
  group entry{};
  group* found = nullptr;
  const int code = ::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found);
  if (found != nullptr) return entry.gr_gid;
  if (code != 0) return fail(Error::from_errno(code, fmt::format("look up the group {}", name)));
  return fail(Error(ErrorCode::kNotFound, fmt::format("there is no group {}", name))
                  .advise(fmt::format("Run `groupadd --system {}`", name)));
}

struct TcpAddress {
  AnyAddress address{};
  socklen_t size = 0;
  bool loopback = false;
};

std::optional<TcpAddress> parse_tcp(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size())
    return std::nullopt;
  const std::string_view host = text.substr(0, colon);
  TcpAddress result;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    sockaddr_in6& v6 = result.address.v6;
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    result.size = sizeof(v6);
    if (::inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), &v6.sin6_addr) != 1) {
      return std::nullopt;
    }
    const in6_addr one = IN6ADDR_LOOPBACK_INIT;
    result.loopback = std::memcmp(&v6.sin6_addr, &one, sizeof(one)) == 0;
    return result;
  }
  sockaddr_in& v4 = result.address.v4;
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  result.size = sizeof(v4);
  if (::inet_pton(AF_INET, std::string(host).c_str(), &v4.sin_addr) != 1) return std::nullopt;
  result.loopback = ntohl(v4.sin_addr.s_addr) >> 24U == IN_LOOPBACKNET;
  return result;
}

}  // namespace

base::Result<Listener> Listener::on_path(const std::string& path, const std::string& group) {
  const std::string step = fmt::format("listen on {}", path);
  const std::string aside = fmt::format("{}.{}", path, ::getpid());
  auto address = address_of(path);
  auto aside_address = address_of(aside);
  if (!address || !aside_address)
    return fail(std::move((address ? aside_address : address).error()).during(step));
  auto owner = find_group(group);
  if (!owner) return fail(std::move(owner.error()).during(step));
  if (auto made = make_folder(path); !made) return fail(std::move(made.error()).during(step));
  if (auto free = check_free(path, *address); !free) return fail(std::move(free.error()).during(step));

  Listener listener(open_socket(AF_UNIX), true);
  AnyAddress to{};
  to.local = *aside_address;
  if (!listener.fd_.valid()) return fail(errno_error(step));
  if (::unlink(aside.c_str()) != 0 && errno != ENOENT) return fail(errno_error(step));
  if (::bind(listener.fd(), &to.any, sizeof(to.local)) != 0) return fail(errno_error(step));
  listener.made_path_ = aside;
  struct stat info{};
  if (::lstat(aside.c_str(), &info) != 0) return fail(errno_error(step));
  listener.made_device_ = info.st_dev;
  listener.made_inode_ = info.st_ino;
  // Nobody can connect before listen().
  if (::chown(aside.c_str(), static_cast<uid_t>(-1), *owner) != 0) {
    return fail(errno_error(fmt::format("give {} to the group {}", path, group))
                    .during(step)
                    .advise("Start it again: the agent takes the group on at its start, and no other later"));
  }
  if (::chmod(aside.c_str(), kSocketMode) != 0 || ::listen(listener.fd(), kBacklog) != 0 ||
      ::rename(aside.c_str(), path.c_str()) != 0) {
    return fail(errno_error(step));
  }
  listener.made_path_ = path;
  listener.name_ = path;
  return listener;
}

base::Result<Listener> Listener::on_tcp(const std::string& address, bool beyond_loopback) {
  const std::string step = fmt::format("listen on TCP {}", address);
  const auto parsed = parse_tcp(address);
  if (!parsed) {
    return fail(Error(ErrorCode::kInvalidArgument, step + ": that is no address with a port")
                    .advise("Give one such as 127.0.0.1:8473 or [::1]:8473"));
  }
  if (!parsed->loopback && !beyond_loopback) {
    return fail(Error(ErrorCode::kPermission, step + ": others could reach that, and nothing is encrypted")
                    .advise("Give a loopback address, or say that it is meant"));
  }
  Listener listener(open_socket(parsed->address.any.sa_family), false);
  if (!listener.fd_.valid()) return fail(errno_error(step));
  const int yes = 1;
  static_cast<void>(::setsockopt(listener.fd(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)));
  if (::bind(listener.fd(), &parsed->address.any, parsed->size) != 0) return fail(errno_error(step));
  if (::listen(listener.fd(), kBacklog) != 0) return fail(errno_error(step));
  if (auto named = listener.look_up_name(); !named) return fail(std::move(named.error()).during(step));
  return listener;
}

base::Result<std::vector<Listener>> Listener::from_systemd() {
  const std::string step = "take the sockets of systemd";
  std::vector<Listener> listeners;
  // The variables stay and the sockets are copied: the next session with another configuration takes them
  // too.
  auto count = passed_sockets();
  if (!count) return fail(std::move(count.error()).during(step));
  for (int fd = kFirstPassedSocket; fd < kFirstPassedSocket + *count; ++fd) {
    base::UniqueFd owned(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!owned.valid()) return fail(errno_error(step));
    const PassedSocket kind = kind_of_socket(fd);
    if (kind == PassedSocket::kUseless)
      return fail(Error(ErrorCode::kInvalidArgument,
                        fmt::format("{}: descriptor {} is no stream socket that listens", step, fd))
                      .advise("Give the .socket unit ListenStream= lines only"));
    // The HTTP library waits by poll().
    static_cast<void>(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK));
    Listener listener(std::move(owned), kind == PassedSocket::kUnix);
    if (auto named = listener.look_up_name(); !named) return fail(std::move(named.error()).during(step));
    listeners.push_back(std::move(listener));
  }
  return listeners;
}

base::Status Listener::look_up_name() {
  AnyAddress own{};
  socklen_t size = sizeof(own);
  if (::getsockname(fd_.get(), &own.any, &size) != 0) return fail(errno_error("getsockname"));
  std::array<char, INET6_ADDRSTRLEN> text{};
  switch (own.any.sa_family) {
    case AF_UNIX: name_ = own.local.sun_path; break;
    case AF_INET:
      port_ = ntohs(own.v4.sin_port);
      ::inet_ntop(AF_INET, &own.v4.sin_addr, text.data(), text.size());
      name_ = fmt::format("{}:{}", text.data(), port_);
      break;
    default:
      port_ = ntohs(own.v6.sin6_port);
      ::inet_ntop(AF_INET6, &own.v6.sin6_addr, text.data(), text.size());
      name_ = fmt::format("[{}]:{}", text.data(), port_);
  }
  return {};
}

Listener::Listener(Listener&& other) noexcept
    : fd_(std::move(other.fd_)),
      local_(other.local_),
      name_(std::move(other.name_)),
      port_(other.port_),
      made_path_(std::exchange(other.made_path_, {})),
      made_device_(other.made_device_),
      made_inode_(other.made_inode_) {}

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this == &other) return *this;
  remove_file();
  fd_ = std::move(other.fd_);
  local_ = other.local_;
  name_ = std::move(other.name_);
  port_ = other.port_;
  made_path_ = std::exchange(other.made_path_, {});
  made_device_ = other.made_device_;
  made_inode_ = other.made_inode_;
  return *this;
}

Listener::~Listener() { remove_file(); }

void Listener::remove_file() noexcept {
  if (made_path_.empty()) return;
  struct stat info{};
  const bool ours =
      ::lstat(made_path_.c_str(), &info) == 0 && info.st_dev == made_device_ && info.st_ino == made_inode_;
  if (ours) ::unlink(made_path_.c_str());
  made_path_.clear();
}

}  // namespace flowtally::api
