#include "capture/links.hpp"

#include <array>
#include <cerrno>

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/unique_fd.hpp"

namespace flowtally::capture {
namespace {

/// How long the kernel may take for an answer; it takes microseconds.
constexpr timeval kDumpWait{.tv_sec = 2, .tv_usec = 0};

struct LinkDump {
  nlmsghdr header;
  ifinfomsg message;
};

std::string text_of(const rtattr* attribute) {
  const auto* const text = static_cast<const char*>(RTA_DATA(attribute));
  const std::string value(text, RTA_PAYLOAD(attribute));
  return value.substr(0, value.find('\0'));
}

/// Calls `visit` for each attribute; nested ones come with their flag, which is taken off.
template <class Visit>
void for_each_attribute(const rtattr* first, std::size_t bytes, Visit visit) {
  auto left = static_cast<int>(bytes);
  for (const rtattr* at = first; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
    visit(at->rta_type & NLA_TYPE_MASK, at);
  }
}

template <class Message>
const Message* message_of(const nlmsghdr* header) {
  return reinterpret_cast<const Message*>(reinterpret_cast<const char*>(header) + NLMSG_HDRLEN);
}

Link link_of(const nlmsghdr* header) {
  const auto* const message = message_of<ifinfomsg>(header);
  Link link{.index = static_cast<std::uint32_t>(message->ifi_index), .flags = message->ifi_flags};
  for_each_attribute(IFLA_RTA(message), IFLA_PAYLOAD(header), [&](int type, const rtattr* attribute) {
    if (type == IFLA_IFNAME) link.name = text_of(attribute);
    if (type != IFLA_LINKINFO) return;
    for_each_attribute(static_cast<const rtattr*>(RTA_DATA(attribute)), RTA_PAYLOAD(attribute),
                       [&](int inner_type, const rtattr* inner) {
                         if (inner_type == IFLA_INFO_KIND) link.kind = text_of(inner);
                         if (inner_type == IFLA_INFO_SLAVE_KIND) link.slave_kind = text_of(inner);
                       });
  });
  return link;
}

base::Error dump_error(int sys_errno) {
  return base::Error::from_errno(sys_errno, "list the network devices of this host (rtnetlink)");
}

}  // namespace

base::Result<std::vector<Link>> read_links() {
  const base::UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!netlink.valid()) return base::fail(dump_error(errno));
  ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &kDumpWait, sizeof(kDumpWait));
  LinkDump request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.message.ifi_family = AF_UNSPEC;
  if (::send(netlink.get(), &request, sizeof(request), 0) != sizeof(request)) {
    return base::fail(dump_error(errno));
  }
  std::vector<Link> links;
  alignas(nlmsghdr) std::array<char, 65536> buffer;
  for (;;) {
    const auto received = ::recv(netlink.get(), buffer.data(), buffer.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return base::fail(dump_error(received < 0 ? errno : EPROTO));
    auto left = static_cast<unsigned>(received);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return links;
      if (header->nlmsg_type == NLMSG_ERROR) {
        return base::fail(dump_error(-message_of<nlmsgerr>(header)->error));
      }
      if (header->nlmsg_type == RTM_NEWLINK) links.push_back(link_of(header));
    }
  }
}

}  // namespace flowtally::capture
