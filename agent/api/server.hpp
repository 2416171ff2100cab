// This file is the API's server: HTTP/1.1 on a Unix socket, and on TCP where that is wanted. It has threads
// of its own, one for each connection, and takes from the agent only what Source gives. docs/formats/api.md
// has the routes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/control.hpp"
#include "api/limits.hpp"
#include "api/source.hpp"
#include "base/result.hpp"

namespace flowtally::api {

struct ServerOptions {
  /// Made with mode 0660, its folder with 0755 where it is missing. A socket that nobody listens on any more
  /// is replaced. Not looked at where systemd passes a socket.
  std::string socket_path = "/run/flowtally/flowtally.sock";
  std::string socket_group{};  ///< by name; empty: this process' group
  std::string tcp_address{};   ///< "127.0.0.1:8473", "[::1]:8473"; empty: no TCP. Port 0: any
  bool tcp_beyond_loopback = false;
  std::string token_file{};      ///< needed for TCP
  bool systemd_sockets = false;  ///< take what LISTEN_FDS tells of, if it does
  Limits limits{};
};

/// Runs from start() to stop(), which the destructor calls too. Start and stop belong to one thread.
class Server {
 public:
  /// kResource: another process listens on the socket. kPermission, kInvalidArgument: with what to do.
  /// `source` and `control` must outlive the server; without a `control` nothing can be changed. The threads
  /// take no signals. Sets malloc's arenas to two, for the process: memory of threads that have ended goes
  /// back to the system.
  [[nodiscard]] static base::Result<std::unique_ptr<Server>> start(const ServerOptions& options,
                                                                   Source& source,
                                                                   Control* control = nullptr);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// Cuts every connection off, waits for their threads and removes the socket.
  void stop() noexcept;

  /// Where it listens, for the log: "/run/flowtally/flowtally.sock", "127.0.0.1:8473".
  [[nodiscard]] std::vector<std::string> addresses() const;
  /// Of the TCP listener; 0: none.
  [[nodiscard]] std::uint16_t tcp_port() const noexcept;

 private:
  struct Inner;
  explicit Server(std::unique_ptr<Inner> inner);

  std::unique_ptr<Inner> inner_;
};

}  // namespace flowtally::api
