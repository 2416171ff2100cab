#include "demo/sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <netinet/in.h>

namespace flowtally::demo {
namespace {

/// How soon a stop is seen while waiting.
constexpr std::chrono::milliseconds kStopSlice{50};

base::Status status_of(int result, const char* what) {
  if (result < 0) return base::fail(base::Error::from_errno(errno, what));
  return {};
}

}  // namespace

SocketAddress SocketAddress::of(const model::Endpoint& endpoint) noexcept {
  SocketAddress made;
  if (endpoint.address.family == model::Address::Family::kV4) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    std::memcpy(&address.sin_addr, endpoint.address.bytes.data(), 4);
    std::memcpy(&made.storage, &address, sizeof(address));
    made.bytes = sizeof(address);
    return made;
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(endpoint.port);
  std::memcpy(&address.sin6_addr, endpoint.address.bytes.data(), 16);
  std::memcpy(&made.storage, &address, sizeof(address));
  made.bytes = sizeof(address);
  return made;
}

int domain_of(const model::Address& address) noexcept {
  return address.family == model::Address::Family::kV4 ? AF_INET : AF_INET6;
}

base::Status Patience::check() const {
  if (stop_.stop_requested()) return base::fail(base::Error::from_errno(ECANCELED, "stopped"));
  if (std::chrono::steady_clock::now() >= end_)
    return base::fail(base::Error::from_errno(ETIMEDOUT, "waiting"));
  return {};
}

base::Status Patience::wait(std::span<pollfd> any) const {
  for (;;) {
    if (auto patient = check(); !patient) return patient;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
    const auto slice = std::clamp(left, std::chrono::milliseconds(0), kStopSlice);
    const int ready = ::poll(any.data(), any.size(), static_cast<int>(slice.count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return base::fail(base::Error::from_errno(errno, "poll"));
  }
}

base::Status Patience::wait(int fd, short events) const {
  pollfd one{.fd = fd, .events = events, .revents = 0};
  return wait(std::span(&one, 1));
}

base::Result<base::UniqueFd> open_socket(const NetNamespace& space, int domain, int type, int protocol) {
  return space.run([&]() -> base::Result<base::UniqueFd> {
    base::UniqueFd fd(::socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
    if (!fd.valid()) return base::fail(base::Error::from_errno(errno, "opening a socket"));
    return fd;
  });
}

base::Status set_option(int fd, int level, int option, int value) {
  return status_of(::setsockopt(fd, level, option, &value, sizeof(value)), "setting a socket option");
}

base::Status bind_to(int fd, const model::Endpoint& local) {
  const SocketAddress address = SocketAddress::of(local);
  return status_of(::bind(fd, address.get(), address.bytes), "binding a socket");
}

base::Status connect_to(int fd, const model::Endpoint& remote) {
  const SocketAddress address = SocketAddress::of(remote);
  if (::connect(fd, address.get(), address.bytes) < 0 && errno != EINPROGRESS) {
    return base::fail(base::Error::from_errno(errno, "connecting"));
  }
  return {};
}

base::Result<base::UniqueFd> listen_on(const NetNamespace& space, const model::Endpoint& local) {
  auto fd = open_socket(space, domain_of(local.address), SOCK_STREAM);
  if (!fd) return fd;
  if (auto done = set_option(fd->get(), SOL_SOCKET, SO_REUSEADDR, 1); !done)
    return base::fail(std::move(done.error()));
  if (auto done = bind_to(fd->get(), local); !done) return base::fail(std::move(done.error()));
  if (::listen(fd->get(), 4) < 0) return base::fail(base::Error::from_errno(errno, "listening"));
  return fd;
}

base::Result<TcpPair> connect_pair(const NetNamespace& space, int listener, const model::Endpoint& remote,
                                   const Patience& patience) {
  auto client = open_socket(space, domain_of(remote.address), SOCK_STREAM);
  if (!client) return base::fail(std::move(client.error()));
  if (auto done = connect_to(client->get(), remote); !done) return base::fail(std::move(done.error()));
  if (auto ready = patience.wait(client->get(), POLLOUT); !ready) {
    return base::fail(std::move(ready.error()).during("connecting"));
  }
  int sys_errno = 0;
  socklen_t bytes = sizeof(sys_errno);
  static_cast<void>(::getsockopt(client->get(), SOL_SOCKET, SO_ERROR, &sys_errno, &bytes));
  if (sys_errno != 0) return base::fail(base::Error::from_errno(sys_errno, "connecting"));

  // The client is connected once the server's kernel has answered; the handshake's last packet may still be
  // on its way.
  if (auto ready = patience.wait(listener, POLLIN); !ready) {
    return base::fail(std::move(ready.error()).during("accepting"));
  }
  base::UniqueFd server(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!server.valid()) return base::fail(base::Error::from_errno(errno, "accepting"));
  return TcpPair{.client = std::move(*client), .server = std::move(server)};
}

base::Result<std::size_t> send_some(int fd, std::span<const std::uint8_t> bytes, const Patience& patience) {
  for (;;) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno != EAGAIN && errno != EINTR) return base::fail(base::Error::from_errno(errno, "sending"));
    if (auto ready = patience.wait(fd, POLLOUT); !ready)
      return base::fail(std::move(ready.error()).during("sending"));
  }
}

base::Result<std::size_t> receive_some(int fd, std::span<std::uint8_t> into, const Patience& patience) {
  for (;;) {
    const ssize_t received = ::recv(fd, into.data(), into.size(), 0);
    if (received >= 0) return static_cast<std::size_t>(received);
    if (errno != EAGAIN && errno != EINTR) return base::fail(base::Error::from_errno(errno, "receiving"));
    if (auto ready = patience.wait(fd, POLLIN); !ready)
      return base::fail(std::move(ready.error()).during("receiving"));
  }
}

base::Status send_all(int fd, std::span<const std::uint8_t> bytes, const Patience& patience) {
  while (!bytes.empty()) {
    const auto sent = send_some(fd, bytes, patience);
    if (!sent) return base::fail(sent.error());
    bytes = bytes.subspan(*sent);
  }
  return {};
}

}  // namespace flowtally::demo
