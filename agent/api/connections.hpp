// This file keeps an eye on connections: who is at the other end, how many one user has, and since when one
// is waited for. Who takes too long is cut off: the socket is shut down, and the thread that serves it sees
// the end.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <thread>

#include "api/counts.hpp"
#include "api/limits.hpp"
#include "api/request.hpp"

namespace flowtally::api {

/// One connection, from its accept to the moment before its descriptor is closed. Guarded by the mutex of
/// its Connections, but for what is constant.
struct Connection {
  int fd = -1;           // constant
  Caller caller{};       // constant
  bool refused = false;  // constant: one of too many

  enum class Phase : std::uint8_t {
    kReading,  ///< until a request is whole
    kWorking,  ///< the answer is being made: that may take its time
    kSending,  ///< the client is to take a piece
  };
  Phase phase = Phase::kReading;
  std::chrono::steady_clock::time_point since{};
};

/// Thread-safe. Has a thread that cuts off.
class Connections {
 public:
  Connections(const Limits& limits, Counts& counts);
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;
  ~Connections();

  /// `local`: the descriptor is of a Unix socket, whose other end the kernel names.
  [[nodiscard]] Connection* add(int fd, bool local);
  /// Before the descriptor is closed.
  void remove(Connection* connection) noexcept;
  void enter(Connection* connection, Connection::Phase phase) noexcept;

 private:
  void watch();
  void cut_late(std::chrono::steady_clock::time_point now) noexcept;

  const Limits limits_;
  Counts& counts_;
  std::mutex mutex_;
  std::condition_variable stop_;
  std::list<Connection> connections_;   // guarded by mutex_, as all that follows
  std::map<uid_t, unsigned> per_user_;  // of the Unix socket
  bool stopping_ = false;
  std::thread watcher_;
};

/// True where the other end is gone. A client that only has nothing more to say is still there, on the Unix
/// socket; on TCP the two cannot be told apart.
[[nodiscard]] bool hung_up(int fd, bool local) noexcept;

}  // namespace flowtally::api
