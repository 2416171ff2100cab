// This file speaks systemd's protocol by itself: one datagram to the socket that NOTIFY_SOCKET names. It is
// documented as stable in sd_notify(3), and a library for it would be the largest that the program has.
#include "app/service_manager.hpp"

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unique_fd.hpp"

namespace flowtally::app {
namespace {

std::optional<std::uint64_t> number_in(const char* variable) {
  const char* const set = std::getenv(variable);
  if (set == nullptr) return std::nullopt;
  const std::string_view text(set);
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Nobody hears it where no manager is, or where it is gone: that changes nothing for us.
void tell(std::string_view state) {
  const char* const set = std::getenv("NOTIFY_SOCKET");
  if (set == nullptr) return;
  const std::string_view name(set);
  union {
    sockaddr any;
    sockaddr_un local;
  } to{};
  // "@" is an abstract name: its first byte is zero.
  if (name.size() < 2 || name.size() >= sizeof(to.local.sun_path) || (name[0] != '/' && name[0] != '@'))
    return;
  to.local.sun_family = AF_UNIX;
  std::memcpy(to.local.sun_path, name.data(), name.size());
  std::size_t size = offsetof(sockaddr_un, sun_path) + name.size();
  if (name[0] == '@') {
    to.local.sun_path[0] = '\0';
  } else {
    ++size;  // a path has its zero at the end
  }
  const base::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return;
  static_cast<void>(::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL, &to.any,
                             static_cast<socklen_t>(size)));
}

}  // namespace

ServiceManager::ServiceManager() {
  const auto limit_us = number_in("WATCHDOG_USEC");
  const auto process = number_in("WATCHDOG_PID");
  const bool meant = std::getenv("WATCHDOG_PID") == nullptr ||
                     process == static_cast<std::uint64_t>(::getpid());  // else another process' of the unit
  if (limit_us && *limit_us > 0 && *limit_us != UINT64_MAX && meant)
    alive_every_ =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::microseconds(*limit_us / 4));
}

void ServiceManager::ready() const { tell("READY=1"); }

void ServiceManager::stopping() const { tell("STOPPING=1"); }

void ServiceManager::alive() {
  if (alive_every_.count() == 0) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - told_ < alive_every_) return;
  told_ = now;
  tell("WATCHDOG=1");
}

}  // namespace flowtally::app
