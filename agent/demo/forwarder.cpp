// This file moves packets in batches: read until nothing waits or enough wire packets are there, count them
// as sent, coalesce, write, count what was taken as received. Buffers are kept, so that a packet costs no
// allocation.
#include "demo/forwarder.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "demo/segment.hpp"

namespace flowtally::demo {
namespace {

/// Wire packets of a batch after which no more is read; WireGuard clients use 128.
constexpr std::size_t kBatchPackets = 128;
/// How long a write may wait for room before its packets are given up.
constexpr std::chrono::milliseconds kWriteWait{1000};

std::int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

base::Result<std::unique_ptr<Forwarder>> Forwarder::start(TunDevice a, TunDevice b) {
  base::UniqueFd stop_event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_event.valid()) return base::fail(base::Error::from_errno(errno, "eventfd of the forwarder"));
  std::unique_ptr<Forwarder> forwarder(new Forwarder(std::move(a), std::move(b), std::move(stop_event)));
  for (Lane* lane : {&forwarder->forth_, &forwarder->back_}) {
    lane->thread = std::thread([owner = forwarder.get(), lane] { owner->run(*lane); });
  }
  return forwarder;
}

Forwarder::Forwarder(TunDevice a, TunDevice b, base::UniqueFd stop_event)
    : a_(std::move(a)),
      b_(std::move(b)),
      stop_event_(std::move(stop_event)),
      forth_(a_, "A", b_, "B"),
      back_(b_, "B", a_, "A") {
  if (!b_.has_udp_offload()) forth_.coalescer.leave_udp_single();
  if (!a_.has_udp_offload()) back_.coalescer.leave_udp_single();
}

Forwarder::~Forwarder() { stop(); }

void Forwarder::stop() {
  const std::lock_guard lock(stop_mutex_);
  static_cast<void>(::eventfd_write(stop_event_.get(), 1));
  for (Lane* lane : {&forth_, &back_}) {
    if (lane->thread.joinable()) lane->thread.join();
  }
}

void Forwarder::run(Lane& lane) {
  std::array<pollfd, 2> waits{{{.fd = lane.from.fd(), .events = POLLIN, .revents = 0},
                               {.fd = stop_event_.get(), .events = POLLIN, .revents = 0}}};
  for (;;) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return;
    if (waits[1].revents != 0) return;
    lane.busy = true;
    const bool goes_on = read_batch(lane);
    pass_batch(lane);
    lane.last_ns = steady_ns();
    lane.busy = false;
    if (!goes_on) return;
  }
}

/// False where the device can no longer be read.
bool Forwarder::read_batch(Lane& lane) {
  lane.wire.clear();
  while (lane.wire.size() < kBatchPackets) {
    VnetHeader header{};
    const auto bytes = lane.from.read(header, lane.read_buffer);
    if (!bytes && (bytes.error() == EAGAIN || bytes.error() == EINTR)) return true;
    if (!bytes) {
      const std::lock_guard lock(lane.mutex);
      lane.faults[fmt::format("reading from {}: {}", lane.from_name, base::errno_text(bytes.error()))]++;
      return false;
    }
    auto done = split(header, PacketView(lane.read_buffer).first(*bytes), lane.wire);
    const std::lock_guard lock(lane.mutex);
    lane.moved.read++;
    if (!done) lane.faults[fmt::format("from {}: {}", lane.from_name, done.error().text())]++;
  }
  return true;
}

void Forwarder::pass_batch(Lane& lane) {
  if (lane.wire.empty()) return;
  {
    const std::lock_guard lock(lane.mutex);
    for (std::size_t index = 0; index < lane.wire.size(); index++)
      lane.left.count(Direction::kTx, lane.wire[index]);
  }
  lane.delivered.clear();
  for (const Outgoing& outgoing : lane.coalescer.coalesce(lane.wire)) {
    const int sys_errno = write(lane, outgoing);
    lane.delivered.push_back(sys_errno == 0);
    if (sys_errno == 0) continue;
    const std::lock_guard lock(lane.mutex);
    lane.faults[fmt::format("writing to {}: {}", lane.to_name, base::errno_text(sys_errno))] +=
        outgoing.packets;
  }
  const std::lock_guard lock(lane.mutex);
  lane.moved.written += static_cast<std::uint64_t>(std::ranges::count(lane.delivered, true));
  for (std::size_t index = 0; index < lane.wire.size(); index++) {
    if (lane.delivered[lane.coalescer.group_of(index)]) lane.arrived.count(Direction::kRx, lane.wire[index]);
  }
}

/// 0, or the errno: EAGAIN where the device took nothing for kWriteWait.
int Forwarder::write(Lane& lane, const Outgoing& outgoing) {
  const std::int64_t give_up_ns = steady_ns() + std::chrono::nanoseconds(kWriteWait).count();
  for (;;) {
    const int sys_errno = lane.to.write(outgoing.header, outgoing.bytes);
    if (sys_errno == EINTR) continue;
    const std::int64_t left_ms = (give_up_ns - steady_ns()) / 1'000'000;
    if (sys_errno != EAGAIN || left_ms <= 0) return sys_errno;
    std::array<pollfd, 2> waits{{{.fd = lane.to.fd(), .events = POLLOUT, .revents = 0},
                                 {.fd = stop_event_.get(), .events = POLLIN, .revents = 0}}};
    static_cast<void>(::poll(waits.data(), waits.size(), static_cast<int>(left_ms)));
    if (waits[1].revents != 0) return sys_errno;
  }
}

bool Forwarder::idle(const Lane& lane) {
  pollfd wait{.fd = lane.from.fd(), .events = POLLIN, .revents = 0};
  const bool waiting = ::poll(&wait, 1, 0) > 0 && (wait.revents & POLLIN) != 0;
  return !waiting && !lane.busy;
}

bool Forwarder::quiet_for(std::chrono::milliseconds quiet, std::chrono::milliseconds deadline) const {
  const std::int64_t quiet_ns = std::chrono::nanoseconds(quiet).count();
  std::int64_t quiet_since = steady_ns();
  const std::int64_t give_up = quiet_since + std::chrono::nanoseconds(deadline).count();
  for (;;) {
    const bool still = idle(forth_) && idle(back_);
    const std::int64_t now = steady_ns();
    quiet_since = std::max({still ? quiet_since : now, forth_.last_ns.load(), back_.last_ns.load()});
    if (now - quiet_since >= quiet_ns) return true;
    if (now >= give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

WireCounter Forwarder::counted(Side side) const {
  WireCounter counter;
  const Lane& out = lane_from(side);
  const Lane& in = side == Side::kA ? back_ : forth_;
  {
    const std::lock_guard lock(out.mutex);
    counter.add(out.left);
  }
  const std::lock_guard lock(in.mutex);
  counter.add(in.arrived);
  return counter;
}

SuperPackets Forwarder::super_packets(Side side) const {
  SuperPackets counted;
  const Lane& out = lane_from(side);
  const Lane& in = side == Side::kA ? back_ : forth_;
  {
    const std::lock_guard lock(out.mutex);
    counted.read = out.moved.read;
  }
  const std::lock_guard lock(in.mutex);
  counted.written = in.moved.written;
  return counted;
}

base::Result<LinkStats> Forwarder::link_stats(Side side) {
  const std::lock_guard lock(stats_mutex_);
  return (side == Side::kA ? a_ : b_).stats();
}

std::vector<Fault> Forwarder::faults() const {
  std::vector<Fault> all;
  for (const Lane* lane : {&forth_, &back_}) {
    const std::lock_guard lock(lane->mutex);
    for (const auto& [reason, times] : lane->faults) all.push_back({.reason = reason, .times = times});
  }
  return all;
}

}  // namespace flowtally::demo
