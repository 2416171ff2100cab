#include "capture/clsact.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/unique_fd.hpp"

namespace flowtally::capture {
namespace {

struct FilterDump {
  nlmsghdr header;
  tcmsg message;
};

/// Whether the answer of a dump, read to its end, names no filter.
bool dump_is_empty(int netlink) noexcept {
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  for (;;) {
    const auto received = ::recv(netlink, buffer.data(), buffer.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return false;
    auto left = static_cast<unsigned>(received);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return true;
      if (header->nlmsg_type == NLMSG_ERROR || header->nlmsg_type == RTM_NEWTFILTER) return false;
    }
  }
}

bool side_is_empty(IfIndex device, std::uint32_t side) noexcept {
  const base::UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!netlink.valid()) return false;
  const timeval limit{.tv_sec = 2, .tv_usec = 0};
  ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));

  FilterDump request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_GETTFILTER;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.message.tcm_family = AF_UNSPEC;
  request.message.tcm_ifindex = to_int(device);
  request.message.tcm_parent = TC_H_MAKE(TC_H_CLSACT, side);
  if (::send(netlink.get(), &request, sizeof(request), 0) != sizeof(request)) return false;
  return dump_is_empty(netlink.get());
}

}  // namespace

bool clsact_is_empty(IfIndex device) noexcept {
  return side_is_empty(device, TC_H_MIN_INGRESS) && side_is_empty(device, TC_H_MIN_EGRESS);
}

}  // namespace flowtally::capture
