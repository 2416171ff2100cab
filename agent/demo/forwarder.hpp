// This file is the tunnel between two TUN devices: what a WireGuard client does to packets at either end,
// without the network in between. Every wire packet is counted where it leaves and where it arrives.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "demo/coalesce.hpp"
#include "demo/tun_device.hpp"
#include "demo/wire_count.hpp"

namespace flowtally::demo {

enum class Side : std::uint8_t { kA, kB };

/// Wire packets that did not get through, or reads that failed.
struct Fault {
  std::string reason;  ///< "writing to B: Input/output error"
  std::uint64_t times = 0;
};

/// Read and write calls that moved a packet, as the devices' own statistics count them.
struct SuperPackets {
  std::uint64_t read = 0;
  std::uint64_t written = 0;
};

/// Carries packets from one device to the other, a thread for each direction. All functions are thread-safe.
class Forwarder {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<Forwarder>> start(TunDevice a, TunDevice b);
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;
  ~Forwarder();

  /// Ends the threads; packets still in the devices' queues stay there. The counts remain.
  void stop();
  /// Waits until nothing has passed and nothing has waited to pass for `quiet`. False at the deadline.
  [[nodiscard]] bool quiet_for(std::chrono::milliseconds quiet, std::chrono::milliseconds deadline) const;

  /// tx: read from that side's device. rx: written into it with success, which a receiver may notice before
  /// it is counted: complete once quiet_for() says so.
  [[nodiscard]] WireCounter counted(Side side) const;
  [[nodiscard]] SuperPackets super_packets(Side side) const;
  [[nodiscard]] base::Result<LinkStats> link_stats(Side side);
  /// Whether both devices take UDP super-packets.
  [[nodiscard]] bool has_udp_offload() const noexcept { return a_.has_udp_offload() && b_.has_udp_offload(); }
  /// Empty where every packet got through.
  [[nodiscard]] std::vector<Fault> faults() const;

 private:
  /// One direction. Its thread alone uses the buffers.
  struct Lane {
    Lane(const TunDevice& reads, const char* reads_name, const TunDevice& writes, const char* writes_name)
        : from(reads), to(writes), from_name(reads_name), to_name(writes_name) {}

    const TunDevice& from;
    const TunDevice& to;
    const char* from_name;
    const char* to_name;

    std::atomic<bool> busy{false};
    std::atomic<std::int64_t> last_ns{0};  // steady clock, end of the last batch

    std::vector<std::uint8_t> read_buffer = std::vector<std::uint8_t>(kTunPacketMax);
    PacketBatch wire;
    Coalescer coalescer;
    std::vector<bool> delivered;  // by group of the batch

    mutable std::mutex mutex;  // guards what follows
    WireCounter left;
    WireCounter arrived;
    SuperPackets moved;
    std::map<std::string, std::uint64_t> faults;

    std::thread thread;
  };

  Forwarder(TunDevice a, TunDevice b, base::UniqueFd stop_event);
  void run(Lane& lane);
  [[nodiscard]] bool read_batch(Lane& lane);
  void pass_batch(Lane& lane);
  [[nodiscard]] int write(Lane& lane, const Outgoing& outgoing);
  [[nodiscard]] static bool idle(const Lane& lane);
  [[nodiscard]] const Lane& lane_from(Side side) const { return side == Side::kA ? forth_ : back_; }

  TunDevice a_;
  TunDevice b_;
  base::UniqueFd stop_event_;
  std::mutex stats_mutex_;  // guards the devices' stats()
  std::mutex stop_mutex_;   // guards the joining of the threads
  Lane forth_;
  Lane back_;
};

}  // namespace flowtally::demo
