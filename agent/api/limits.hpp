// This file is what the API lets its clients use, so that nobody can use it up. A server takes them as
// options, because tests want to meet them soon.
#pragma once

#include <chrono>
#include <cstddef>

namespace flowtally::api {

/// At once: on the Unix socket in all and of one user, and on TCP. Beyond the first and the last new ones
/// wait to be taken; one user's next ones are answered with 503.
inline constexpr unsigned kConnectionsMax = 256;
inline constexpr unsigned kConnectionsPerUserMax = 224;
inline constexpr unsigned kTcpConnectionsMax = 64;
/// A connection's memory for the request's line, its headers, and the part of the answer on its way.
inline constexpr std::size_t kConnectionBytes = std::size_t{64} << 10U;
/// Of the address in a request, 414 beyond, and of all its headers, 431. A body, where one belongs, 413.
inline constexpr std::size_t kTargetBytesMax = std::size_t{16} << 10U;
inline constexpr std::size_t kHeaderBytesMax = std::size_t{32} << 10U;
inline constexpr std::size_t kParametersMax = 32;
inline constexpr std::size_t kBodyBytesMax = std::size_t{64} << 10U;
/// Until a request is whole, from the connect or the end of the answer before; then the connection is cut.
inline constexpr std::chrono::seconds kRequestTime{30};
/// A client that takes nothing of its answer for so long is cut off.
inline constexpr std::chrono::seconds kStallTime{30};
/// Answers at once that read the journal: listings of logs, and queries. The next ones wait for kSlotWait,
/// then get 503 and Retry-After.
inline constexpr unsigned kLogReadersMax = 8;
inline constexpr unsigned kQueriesMax = 2;
inline constexpr unsigned kFollowersMax = 16;  ///< of records, by server-sent events; 503 at once beyond
inline constexpr std::chrono::seconds kSlotWait{10};
inline constexpr std::chrono::seconds kRetryAfter{5};
/// Followers hear a comment after so long without a record, so that both sides notice a dead connection.
inline constexpr std::chrono::seconds kKeepAlive{15};
/// The stack of a connection's thread, as addresses; what it touches is some 50 KiB.
inline constexpr std::size_t kThreadStackBytes = std::size_t{1} << 20U;

struct Limits {
  unsigned connections = kConnectionsMax;
  unsigned connections_per_user = kConnectionsPerUserMax;
  unsigned tcp_connections = kTcpConnectionsMax;
  unsigned log_readers = kLogReadersMax;
  unsigned queries = kQueriesMax;
  unsigned followers = kFollowersMax;
  std::chrono::milliseconds request_time = kRequestTime;
  std::chrono::milliseconds stall_time = kStallTime;
  std::chrono::milliseconds slot_wait = kSlotWait;
  std::chrono::milliseconds keep_alive = kKeepAlive;
};

}  // namespace flowtally::api
