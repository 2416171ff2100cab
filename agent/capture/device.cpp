#include "capture/device.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace flowtally::capture {
namespace {

ifreq request_for(const std::string& name) noexcept {
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), std::min<std::size_t>(name.size(), IFNAMSIZ - 1));
  return request;
}

/// What an skb begins with at the tc hook, by ARP type (include/uapi/linux/if_arp.h).
std::optional<LinkLayer> link_layer_of(unsigned short arp_type) noexcept {
  switch (arp_type) {
    case ARPHRD_NONE:  // TUN, WireGuard
    case ARPHRD_RAWIP:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT: return LinkLayer::kL3;
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK: return LinkLayer::kEthernet;
    default: return std::nullopt;
  }
}

}  // namespace

bool valid_device_name(const std::string& name) noexcept {
  if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == "..") return false;
  return name.find_first_of("/: \t\n\v\f\r") == std::string::npos && name.find('\0') == std::string::npos;
}

base::Result<DeviceWatch> DeviceWatch::open() {
  base::UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!netlink.valid()) return base::fail(base::Error::from_errno(errno, "open an rtnetlink socket"));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (::bind(netlink.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return base::fail(
        base::Error::from_errno(errno, "listen to rtnetlink messages about links and addresses"));
  }
  base::UniqueFd query(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!query.valid()) return base::fail(base::Error::from_errno(errno, "open a socket to look up devices"));
  return DeviceWatch(std::move(netlink), std::move(query));
}

void DeviceWatch::drain() noexcept {
  std::array<char, 16384> buffer;
  bool any = false;
  for (;;) {
    const auto length = ::recv(netlink_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (length == 0 || (length < 0 && errno != ENOBUFS && errno != EINTR)) break;
    any = any || length > 0 || errno == ENOBUFS;
  }
  if (any) ++changes_;
}

base::Result<std::optional<Device>> DeviceWatch::find(const std::string& name) const {
  ifreq request = request_for(name);
  if (::ioctl(query_.get(), SIOCGIFINDEX, &request) != 0) {
    if (errno == ENODEV) return std::optional<Device>{};
    return base::fail(base::Error::from_errno(errno, fmt::format("look up the interface {}", name)));
  }
  const auto index = static_cast<IfIndex>(request.ifr_ifindex);
  request = request_for(name);
  if (::ioctl(query_.get(), SIOCGIFHWADDR, &request) != 0) {
    if (errno == ENODEV) return std::optional<Device>{};  // it went between the two calls
    return base::fail(base::Error::from_errno(errno, fmt::format("read the type of the interface {}", name)));
  }
  const auto link_layer = link_layer_of(request.ifr_hwaddr.sa_family);
  if (!link_layer) {
    return base::fail(
        base::Error(base::ErrorCode::kUnsupported,
                    fmt::format("the interface {} has ARP type {}, which carries neither bare IP packets "
                                "nor Ethernet frames",
                                name, request.ifr_hwaddr.sa_family))
            .advise("Name a TUN, WireGuard or Ethernet device with --interface"));
  }
  return Device{.index = index, .link_layer = *link_layer};
}

std::optional<std::uint64_t> DeviceWatch::dropped(const std::string& name) const {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/thread-self/net/dev", "re"),
                                                             std::fclose);
  std::array<char, 512> line{};
  while (file && std::fgets(line.data(), line.size(), file.get()) != nullptr) {
    std::string_view text(line.data());
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (!text.starts_with(name) || !text.substr(name.size()).starts_with(':')) continue;
    // rx: bytes packets errs drop fifo frame compressed multicast; tx: bytes packets errs drop ...
    // (dev_seq_show)
    const char* at = text.data() + name.size() + 1;
    char* end = nullptr;
    std::uint64_t number = 0;
    for (int column = 0; column < 12; ++column, at = end) number = std::strtoull(at, &end, 10);
    return number;
  }
  return std::nullopt;
}

}  // namespace flowtally::capture
