// This file makes traffic without a device: BPF_PROG_TEST_RUN in tight loops on pinned threads, counted by
// the sender. Small repeats only: a test run holds RCU across its repeats, and would hold up the drain it
// runs beside.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>

#include "capture/program.hpp"
#include "model/window.hpp"

namespace flowtally::test {

/// A minimal IPv4/UDP packet of 60 bytes whose addresses and ports are `number`'s: every number is another
/// flow.
[[nodiscard]] std::array<std::byte, 60> numbered_packet(std::uint32_t number);
/// The same as IPv6/UDP, 80 bytes.
[[nodiscard]] std::array<std::byte, 80> numbered_packet6(std::uint32_t number);

/// Runs the layer-3 program of `direction` over `packet`, `repeat` times. The verdict; negative errno on
/// failure.
[[nodiscard]] int run_packet(capture::Program& program, capture::Direction direction,
                             std::span<const std::byte> packet, std::uint32_t repeat);

/// Sends numbered packets from one thread, pinned to one CPU, until stop(): numbers 0 to `keys` - 1 round and
/// round, every other one as ingress.
class Fire {
 public:
  Fire(capture::Program& program, unsigned cpu, std::uint32_t first, std::uint32_t keys,
       std::uint32_t repeat);
  Fire(const Fire&) = delete;
  Fire& operator=(const Fire&) = delete;
  ~Fire();

  /// Ends the thread and tells what it sent. Can be called once.
  [[nodiscard]] model::Counters stop();

 private:
  void loop(unsigned cpu, std::uint32_t first, std::uint32_t keys, std::uint32_t repeat);

  capture::Program& program_;
  std::atomic<bool> stopping_{false};
  model::Counters sent_;  ///< written by the thread, read after it has ended
  std::thread thread_;
};

}  // namespace flowtally::test
