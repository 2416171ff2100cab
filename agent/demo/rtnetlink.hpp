// This file sets up links and addresses over rtnetlink(7), which needs no writable /proc/sys, and reads a
// device's statistics.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "model/address.hpp"

namespace flowtally::demo {

/// An interface address with the length of its network, for which the kernel makes a route by itself.
struct InterfaceAddress {
  model::Address address;
  std::uint8_t prefix_bits = 0;
};

/// The counters of IFLA_STATS64 that matter here.
struct LinkStats {
  std::uint64_t rx_packets = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t rx_dropped = 0;
  std::uint64_t tx_dropped = 0;
  std::uint64_t rx_errors = 0;
  std::uint64_t tx_errors = 0;
};

/// A socket in the network namespace of the thread that opened it, for good. Not thread-safe.
class Rtnetlink {
 public:
  [[nodiscard]] static base::Result<Rtnetlink> open();

  /// Sets both, and that the kernel makes no IPv6 link-local address by itself: without one the device sends
  /// neither router solicitations nor multicast reports.
  [[nodiscard]] base::Status configure(unsigned ifindex, unsigned mtu, unsigned tx_queue_len);
  [[nodiscard]] base::Status bring_up(unsigned ifindex);
  /// Usable at once, without duplicate address detection.
  [[nodiscard]] base::Status add_address(unsigned ifindex, const InterfaceAddress& address);
  /// Whether packets to this address are taken as one's own. For IPv6 that is so only some time after
  /// add_address() and bring_up() have returned: the kernel finishes in a work queue.
  [[nodiscard]] base::Result<bool> is_local(const model::Address& address);
  [[nodiscard]] base::Result<LinkStats> stats(unsigned ifindex);

 private:
  explicit Rtnetlink(base::UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  /// Sends one request and gives the one message that answers it.
  [[nodiscard]] base::Result<std::vector<std::uint8_t>> exchange(const std::vector<std::uint8_t>& request);
  [[nodiscard]] base::Status acknowledge(const std::vector<std::uint8_t>& request);

  base::UniqueFd fd_;
};

}  // namespace flowtally::demo
