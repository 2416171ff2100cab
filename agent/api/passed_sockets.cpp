#include "api/passed_sockets.hpp"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace flowtally::api {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

base::Result<int> number_in(const char* variable) {
  const char* const set = std::getenv(variable);
  const std::string_view text(set != nullptr ? set : "");
  int value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || value < 0)
    return fail(
        Error(ErrorCode::kInvalidArgument, fmt::format("{} is \"{}\" and no number", variable, text)));
  return value;
}

int option_of(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : 0;
}

}  // namespace

base::Result<int> passed_sockets() {
  if (std::getenv("LISTEN_PID") == nullptr || std::getenv("LISTEN_FDS") == nullptr) return 0;
  const auto process = number_in("LISTEN_PID");
  if (!process) return fail(Error(process.error()));
  if (*process != ::getpid()) return 0;
  auto count = number_in("LISTEN_FDS");
  if (!count) return fail(std::move(count.error()));
  if (*count > kPassedSocketsMax)
    return fail(Error(ErrorCode::kInvalidArgument,
                      fmt::format("{} of them are passed, more than {}", *count, kPassedSocketsMax))
                    .advise("Give the .socket unit fewer ListenStream= lines"));
  for (int fd = kFirstPassedSocket; fd < kFirstPassedSocket + *count; ++fd) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0 || ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0)
      return fail(Error::from_errno(errno, fmt::format("descriptor {}", fd)));
  }
  return count;
}

PassedSocket kind_of_socket(int fd) {
  if (option_of(fd, SO_TYPE) != SOCK_STREAM || option_of(fd, SO_ACCEPTCONN) == 0)
    return PassedSocket::kUseless;
  switch (option_of(fd, SO_DOMAIN)) {
    case AF_UNIX: return PassedSocket::kUnix;
    case AF_INET:
    case AF_INET6: return PassedSocket::kTcp;
    default: return PassedSocket::kUseless;
  }
}

}  // namespace flowtally::api
