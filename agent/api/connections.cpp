#include "api/connections.hpp"

#include <algorithm>

#include <poll.h>
#include <sys/socket.h>

namespace flowtally::api {
namespace {

using Clock = std::chrono::steady_clock;

/// How often somebody looks for who is late, at the least and at the most.
constexpr std::chrono::milliseconds kLookMin{10};
constexpr std::chrono::milliseconds kLookMax{1000};

Caller caller_of(int fd, bool local) noexcept {
  Caller caller{.local = local};
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (local && ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
    caller.uid = peer.uid;
    caller.gid = peer.gid;
    caller.pid = peer.pid;
  }
  return caller;
}

}  // namespace

Connections::Connections(const Limits& limits, Counts& counts)
    : limits_(limits), counts_(counts), watcher_([this] { watch(); }) {}

Connections::~Connections() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  watcher_.join();
}

Connection* Connections::add(int fd, bool local) {
  const Caller caller = caller_of(fd, local);
  const std::lock_guard lock(mutex_);
  bool refused = false;
  if (local) refused = ++per_user_[caller.uid] > limits_.connections_per_user;
  counts_.connections.fetch_add(1, std::memory_order_relaxed);
  if (refused) counts_.refused(Refusal::kTooManyConnections);
  return &connections_.emplace_back(
      Connection{.fd = fd, .caller = caller, .refused = refused, .since = Clock::now()});
}

void Connections::remove(Connection* connection) noexcept {
  const std::lock_guard lock(mutex_);
  if (connection->caller.local) {
    const auto user = per_user_.find(connection->caller.uid);
    if (user != per_user_.end() && --user->second == 0) per_user_.erase(user);
  }
  counts_.connections.fetch_sub(1, std::memory_order_relaxed);
  connections_.remove_if([connection](const Connection& one) { return &one == connection; });
}

void Connections::enter(Connection* connection, Connection::Phase phase) noexcept {
  const std::lock_guard lock(mutex_);
  connection->phase = phase;
  connection->since = Clock::now();
}

void Connections::watch() {
  const auto look = std::clamp(std::min(limits_.request_time, limits_.stall_time) / 4, kLookMin, kLookMax);
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, look, [this] { return stopping_; })) cut_late(Clock::now());
}

void Connections::cut_late(Clock::time_point now) noexcept {
  for (Connection& connection : connections_) {
    const auto late = [&](Connection::Phase phase, std::chrono::milliseconds time) {
      return connection.phase == phase && now - connection.since > time;
    };
    const bool slow_request = late(Connection::Phase::kReading, limits_.request_time);
    if (!slow_request && !late(Connection::Phase::kSending, limits_.stall_time)) continue;
    // It stays in the list until its thread has seen it.
    ::shutdown(connection.fd, SHUT_RDWR);
    counts_.refused(slow_request ? Refusal::kLateRequest : Refusal::kStalled);
    connection.phase = Connection::Phase::kWorking;
  }
}

bool hung_up(int fd, bool local) noexcept {
  pollfd look{.fd = fd, .events = static_cast<short>(local ? 0 : POLLRDHUP), .revents = 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR | POLLRDHUP | POLLNVAL)) != 0;
}

}  // namespace flowtally::api
