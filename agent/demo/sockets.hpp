// This file is what the traffic generators share: sockets inside a network namespace, and waiting for them
// with a deadline and a stop.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>

#include <poll.h>
#include <sys/socket.h>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "demo/net_namespace.hpp"
#include "model/address.hpp"

namespace flowtally::demo {

/// A socket address of either family.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;

  [[nodiscard]] static SocketAddress of(const model::Endpoint& endpoint) noexcept;
  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// AF_INET or AF_INET6.
[[nodiscard]] int domain_of(const model::Address& address) noexcept;

/// Until when an operation may wait. Waiting ends early when a stop is asked for.
class Patience {
 public:
  Patience(std::chrono::milliseconds limit, std::stop_token stop)
      : end_(std::chrono::steady_clock::now() + limit), stop_(std::move(stop)) {}
  /// Waits for `events` of poll(2), errors of the descriptor included. Fails at the deadline and at a stop.
  [[nodiscard]] base::Status wait(int fd, short events) const;
  [[nodiscard]] base::Status wait(std::span<pollfd> any) const;
  /// Fails as wait() does, without waiting.
  [[nodiscard]] base::Status check() const;

 private:
  std::chrono::steady_clock::time_point end_;
  std::stop_token stop_;
};

/// A non-blocking socket that is in `space` for good.
[[nodiscard]] base::Result<base::UniqueFd> open_socket(const NetNamespace& space, int domain, int type,
                                                       int protocol = 0);
[[nodiscard]] base::Status set_option(int fd, int level, int option, int value);
[[nodiscard]] base::Status bind_to(int fd, const model::Endpoint& local);
/// Of a datagram socket: fixes the other end. Of a TCP socket: begins to connect.
[[nodiscard]] base::Status connect_to(int fd, const model::Endpoint& remote);

/// Both ends of a TCP connection.
struct TcpPair {
  base::UniqueFd client;
  base::UniqueFd server;
};
/// A listening socket; its backlog is short.
[[nodiscard]] base::Result<base::UniqueFd> listen_on(const NetNamespace& space, const model::Endpoint& local);
/// Connects from `space` to the listening socket at `remote`, and accepts.
[[nodiscard]] base::Result<TcpPair> connect_pair(const NetNamespace& space, int listener,
                                                 const model::Endpoint& remote, const Patience& patience);

/// One send or receive, after waiting for it. A stream's end gives 0 bytes.
[[nodiscard]] base::Result<std::size_t> send_some(int fd, std::span<const std::uint8_t> bytes,
                                                  const Patience& patience);
[[nodiscard]] base::Result<std::size_t> receive_some(int fd, std::span<std::uint8_t> into,
                                                     const Patience& patience);
[[nodiscard]] base::Status send_all(int fd, std::span<const std::uint8_t> bytes, const Patience& patience);

}  // namespace flowtally::demo
