// This file is a TUN device as a WireGuard client opens it: layer 3, a virtio header before each packet, all
// offloads on, so that the kernel's side sees the same super-packets as on a real tailscale0.
#pragma once

#include <cstddef>
#include <expected>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "demo/packet_bytes.hpp"
#include "demo/rtnetlink.hpp"
#include "demo/vnet_header.hpp"

namespace flowtally::demo {

/// The largest packet that a TUN hands over or takes.
inline constexpr std::size_t kTunPacketMax = 65535;

struct TunOptions {
  std::string name;
  InterfaceAddress v4{};  ///< none where it is not valid
  InterfaceAddress v6{};
  unsigned mtu = 1280;
  /// Also the size of the ring between the kernel and the reader; long, so that it never overflows here.
  unsigned tx_queue_len = 10000;
};

/// Owner of one TUN device; the device goes when it is closed. read() and write() may run on different
/// threads, and one of each at a time.
class TunDevice {
 public:
  /// Makes the device in the network namespace of the calling thread, with its addresses, up. Until somebody
  /// sends, no packet appears on it. kNotFound: this machine has no /dev/net/tun.
  [[nodiscard]] static base::Result<TunDevice> open(const TunOptions& options);

  /// One packet, or the errno: EAGAIN where none waits. `buffer` should have room for kTunPacketMax bytes.
  [[nodiscard]] std::expected<std::size_t, int> read(VnetHeader& header, PacketBytes buffer) const noexcept;
  /// 0, or the errno.
  [[nodiscard]] int write(const VnetHeader& header, PacketView packet) const noexcept;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] unsigned ifindex() const noexcept { return ifindex_; }
  [[nodiscard]] bool has_udp_offload() const noexcept { return has_udp_offload_; }
  /// tx is what the kernel sends, so what read() gives; rx is what write() takes. Not thread-safe.
  [[nodiscard]] base::Result<LinkStats> stats() { return netlink_.stats(ifindex_); }

 private:
  TunDevice(base::UniqueFd fd, Rtnetlink netlink, unsigned ifindex, bool has_udp_offload) noexcept
      : fd_(std::move(fd)),
        netlink_(std::move(netlink)),
        ifindex_(ifindex),
        has_udp_offload_(has_udp_offload) {}

  base::UniqueFd fd_;
  Rtnetlink netlink_;
  unsigned ifindex_;
  bool has_udp_offload_;
};

}  // namespace flowtally::demo
