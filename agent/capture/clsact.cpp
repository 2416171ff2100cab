#include "capture/clsact.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string_view>

#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include "base/unique_fd.hpp"

namespace flowtally::capture {
namespace {

struct FilterDump {
  nlmsghdr header;
  tcmsg message;
};

/// What stands behind the header (NLMSG_DATA() is a cast of the old kind).
template <class Message>
const Message* message_of(const nlmsghdr& header) {
  return reinterpret_cast<const Message*>(reinterpret_cast<const char*>(&header) + NLMSG_HDRLEN);
}

/// Called for each filter; false ends the dump.
using OnFilter = std::function<bool(const nlmsghdr& header)>;

/// Reads the answer of a dump to its end, or to where `on_filter` ends it. 0 or an errno.
int read_dump(int netlink, const OnFilter& on_filter) {
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  for (;;) {
    const auto received = ::recv(netlink, buffer.data(), buffer.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return received == 0 ? EPIPE : errno;
    auto left = static_cast<unsigned>(received);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return 0;
      if (header->nlmsg_type == NLMSG_ERROR) return -message_of<nlmsgerr>(*header)->error;
      if (header->nlmsg_type == RTM_NEWTFILTER && !on_filter(*header)) return 0;
    }
  }
}

int dump_filters(IfIndex device, Direction direction, const OnFilter& on_filter) {
  const base::UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!netlink.valid()) return errno;
  const timeval limit{.tv_sec = 2, .tv_usec = 0};
  ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));

  FilterDump request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_GETTFILTER;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.message.tcm_family = AF_UNSPEC;
  request.message.tcm_ifindex = to_int(device);
  request.message.tcm_parent =
      TC_H_MAKE(TC_H_CLSACT, direction == Direction::kTx ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
  if (::send(netlink.get(), &request, sizeof(request), 0) != sizeof(request)) return errno;
  return read_dump(netlink.get(), on_filter);
}

/// Calls `on_attribute` for each attribute of [data, data + length).
template <class OnAttribute>
void each_attribute(const rtattr* attribute, unsigned length, OnAttribute on_attribute) {
  for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length)) on_attribute(*attribute);
}

std::string_view text_of(const rtattr& attribute) {
  const std::string_view text(static_cast<const char*>(RTA_DATA(&attribute)), RTA_PAYLOAD(&attribute));
  return text.substr(0, text.find('\0'));
}

void take_options(const rtattr& options, BpfFilter& filter) {
  each_attribute(static_cast<const rtattr*>(RTA_DATA(&options)), static_cast<unsigned>(RTA_PAYLOAD(&options)),
                 [&filter](const rtattr& attribute) {
                   if (attribute.rta_type == TCA_BPF_NAME) filter.name = text_of(attribute);
                   if (attribute.rta_type == TCA_BPF_ID && RTA_PAYLOAD(&attribute) == sizeof(std::uint32_t)) {
                     std::memcpy(&filter.program_id, RTA_DATA(&attribute), sizeof(filter.program_id));
                   }
                 });
}

}  // namespace

base::Result<std::vector<BpfFilter>> bpf_filters(IfIndex device, Direction direction) {
  std::vector<BpfFilter> filters;
  const int error = dump_filters(device, direction, [&filters](const nlmsghdr& header) {
    const auto* const message = message_of<tcmsg>(header);
    BpfFilter filter{.handle = message->tcm_handle, .priority = TC_H_MAJ(message->tcm_info) >> 16U};
    bool is_bpf = false;
    each_attribute(TCA_RTA(message), static_cast<unsigned>(TCA_PAYLOAD(&header)),
                   [&](const rtattr& attribute) {
                     if (attribute.rta_type == TCA_KIND) is_bpf = text_of(attribute) == "bpf";
                     if (attribute.rta_type == TCA_OPTIONS && is_bpf) take_options(attribute, filter);
                   });
    if (filter.program_id != 0) filters.push_back(std::move(filter));
    return true;
  });
  // Where there is no clsact qdisc a dump ends empty, or says EINVAL (tc_dump_tfilter in
  // net/sched/cls_api.c).
  if (error == 0 || error == EINVAL) return filters;
  return base::fail(base::Error::from_errno(
      error, fmt::format("list the filters of the device with index {}", to_int(device))));
}

bool clsact_is_empty(IfIndex device) noexcept {
  bool found = false;
  const OnFilter on_filter = [&found](const nlmsghdr&) {
    found = true;
    return false;
  };
  return dump_filters(device, Direction::kRx, on_filter) == 0 &&
         dump_filters(device, Direction::kTx, on_filter) == 0 && !found;
}

}  // namespace flowtally::capture
