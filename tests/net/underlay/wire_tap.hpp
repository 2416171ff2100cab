// This file is a second count of what passes a device, which shares nothing with the BPF programs: AF_PACKET,
// super-packets cut by demo/segment.hpp, counted by demo/wire_count.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/unique_fd.hpp"
#include "demo/wire_count.hpp"
#include "model/window.hpp"

namespace flowtally::test {

/// A tap on one Ethernet device of the thread's namespace, from now on.
class WireTap {
 public:
  explicit WireTap(const std::string& device);
  /// Takes what has come. Fails the test where the kernel had no room for some.
  void read();
  /// The sum over flows of `proto` with this local port, in IP packets and bytes.
  [[nodiscard]] model::Counters sum(std::uint8_t proto, std::uint16_t local_port) const;
  /// Of what was read, skbs of more than one packet.
  [[nodiscard]] std::size_t super_packets() const noexcept { return super_packets_; }

 private:
  base::UniqueFd fd_;
  demo::WireCounter counter_;
  std::size_t super_packets_ = 0;
};

}  // namespace flowtally::test
