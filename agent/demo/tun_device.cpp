#include "demo/tun_device.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include <linux/if_tun.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

namespace flowtally::demo {
namespace {

constexpr unsigned kOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
constexpr unsigned kUdpOffloads = 0x20 | 0x40;  // TUN_F_USO4, TUN_F_USO6: in the headers since Linux 6.2
/// The kernel needs about a millisecond to make an IPv6 address usable.
constexpr std::chrono::seconds kAddressWait{5};

base::Result<base::UniqueFd> attach(const std::string& name) {
  ifreq request{};
  if (name.size() >= sizeof(request.ifr_name)) {
    return base::fail(base::Error(base::ErrorCode::kInvalidArgument, "the device name is too long"));
  }
  base::UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) {
    return base::fail(
        base::Error::from_errno(errno, "opening /dev/net/tun")
            .advise("Load the kernel module tun, or give the container the device /dev/net/tun"));
  }
  std::ranges::copy(name, request.ifr_name);
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    return base::fail(base::Error::from_errno(errno, "making the device"));
  }
  return fd;
}

base::Result<bool> switch_offloads_on(int fd) {
  if (::ioctl(fd, TUNSETOFFLOAD, kOffloads | kUdpOffloads) == 0) return true;
  if (::ioctl(fd, TUNSETOFFLOAD, kOffloads) == 0) return false;
  return base::fail(base::Error::from_errno(errno, "switching the offloads on"));
}

base::Status wait_until_usable(Rtnetlink& netlink, const InterfaceAddress& address) {
  const auto give_up = std::chrono::steady_clock::now() + kAddressWait;
  for (;;) {
    const auto local = netlink.is_local(address.address);
    if (!local) return base::fail(local.error());
    if (*local) return {};
    if (std::chrono::steady_clock::now() >= give_up) {
      return base::fail(base::Error::from_errno(ETIMEDOUT, "waiting for an address to become usable"));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// Everything between a bare device and one that takes packets.
base::Status set_up(Rtnetlink& netlink, unsigned ifindex, const TunOptions& options) {
  if (auto done = netlink.configure(ifindex, options.mtu, options.tx_queue_len); !done) {
    return base::fail(std::move(done.error()).during("setting the MTU and the queue length"));
  }
  std::vector<InterfaceAddress> addresses{options.v4, options.v6};
  std::erase_if(addresses, [](const InterfaceAddress& address) { return !address.address.valid(); });
  for (const InterfaceAddress& address : addresses) {
    if (auto done = netlink.add_address(ifindex, address); !done) {
      return base::fail(std::move(done.error()).during("adding an address"));
    }
  }
  if (auto done = netlink.bring_up(ifindex); !done)
    return base::fail(std::move(done.error()).during("bringing it up"));
  for (const InterfaceAddress& address : addresses) {
    if (auto done = wait_until_usable(netlink, address); !done) return done;
  }
  return {};
}

}  // namespace

base::Result<TunDevice> TunDevice::open(const TunOptions& options) {
  const auto failed = [&](base::Error error) {
    return base::fail(std::move(error).during(fmt::format("TUN device {}", options.name)));
  };
  auto fd = attach(options.name);
  if (!fd) return failed(std::move(fd.error()));
  const auto udp_offload = switch_offloads_on(fd->get());
  if (!udp_offload) return failed(udp_offload.error());

  auto netlink = Rtnetlink::open();
  if (!netlink) return failed(std::move(netlink.error()));
  const unsigned ifindex = ::if_nametoindex(options.name.c_str());
  if (auto done = set_up(*netlink, ifindex, options); !done) return failed(std::move(done.error()));
  return TunDevice(std::move(*fd), std::move(*netlink), ifindex, *udp_offload);
}

std::expected<std::size_t, int> TunDevice::read(VnetHeader& header, PacketBytes buffer) const noexcept {
  const std::array<iovec, 2> parts{{{.iov_base = &header, .iov_len = sizeof(header)},
                                    {.iov_base = buffer.data(), .iov_len = buffer.size()}}};
  const ssize_t bytes = ::readv(fd_.get(), parts.data(), static_cast<int>(parts.size()));
  if (bytes < 0) return std::unexpected(errno);
  const auto all = static_cast<std::size_t>(bytes);
  return all > sizeof(header) ? all - sizeof(header) : 0;
}

int TunDevice::write(const VnetHeader& header, PacketView packet) const noexcept {
  // writev(2) reads only; iovec has no const form.
  const std::array<iovec, 2> parts{
      {{.iov_base = const_cast<VnetHeader*>(&header), .iov_len = sizeof(header)},
       {.iov_base = const_cast<std::uint8_t*>(packet.data()), .iov_len = packet.size()}}};
  return ::writev(fd_.get(), parts.data(), static_cast<int>(parts.size())) < 0 ? errno : 0;
}

}  // namespace flowtally::demo
