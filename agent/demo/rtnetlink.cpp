#include "demo/rtnetlink.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/socket.h>

namespace flowtally::demo {
namespace {

constexpr std::size_t kAnswerBytesMax = 32768;

std::size_t aligned(std::size_t bytes) { return (bytes + 3U) & ~std::size_t{3}; }

/// A request under construction; netlink is in the machine's byte order, every part aligned to four bytes.
class Request {
 public:
  Request(std::uint16_t type, std::uint16_t flags) {
    put(nlmsghdr{.nlmsg_len = 0,
                 .nlmsg_type = type,
                 .nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
                 .nlmsg_seq = 1,
                 .nlmsg_pid = 0});
  }
  template <class T>
  void put(const T& part) {
    put_bytes(&part, sizeof(part));
  }
  void attribute(std::uint16_t type, const void* value, std::size_t bytes) {
    put(rtattr{.rta_len = static_cast<std::uint16_t>(sizeof(rtattr) + bytes), .rta_type = type});
    put_bytes(value, bytes);
  }
  void attribute(std::uint16_t type, std::uint32_t value) { attribute(type, &value, sizeof(value)); }
  /// The attributes put between begin() and end() are inside this one.
  [[nodiscard]] std::size_t begin(std::uint16_t type) {
    const std::size_t at = bytes_.size();
    put(rtattr{.rta_len = 0, .rta_type = type});
    return at;
  }
  void end(std::size_t at) {
    const auto length = static_cast<std::uint16_t>(bytes_.size() - at);
    std::memcpy(bytes_.data() + at, &length, sizeof(length));
  }
  [[nodiscard]] const std::vector<std::uint8_t>& finish() {
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof(length));
    return bytes_;
  }

 private:
  void put_bytes(const void* from, std::size_t bytes) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + aligned(bytes));
    std::memcpy(bytes_.data() + at, from, bytes);
  }
  std::vector<std::uint8_t> bytes_;
};

ifinfomsg link_message(unsigned ifindex) {
  ifinfomsg message{};
  message.ifi_family = AF_UNSPEC;
  message.ifi_index = static_cast<int>(ifindex);
  return message;
}

/// The value of one attribute of an RTM_NEWLINK message, empty where it is not there.
std::span<const std::uint8_t> link_attribute(std::span<const std::uint8_t> message, std::uint16_t wanted) {
  std::size_t at = sizeof(nlmsghdr) + aligned(sizeof(ifinfomsg));
  while (at + sizeof(rtattr) <= message.size()) {
    rtattr attribute{};
    std::memcpy(&attribute, message.data() + at, sizeof(attribute));
    if (attribute.rta_len < sizeof(attribute) || attribute.rta_len > message.size() - at) break;
    if (attribute.rta_type == wanted) {
      return message.subspan(at + sizeof(attribute), attribute.rta_len - sizeof(attribute));
    }
    at += aligned(attribute.rta_len);
  }
  return {};
}

}  // namespace

base::Result<Rtnetlink> Rtnetlink::open() {
  base::UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid()) return base::fail(base::Error::from_errno(errno, "opening a netlink socket"));
  return Rtnetlink(std::move(fd));
}

base::Result<std::vector<std::uint8_t>> Rtnetlink::exchange(const std::vector<std::uint8_t>& request) {
  if (::send(fd_.get(), request.data(), request.size(), 0) < 0) {
    return base::fail(base::Error::from_errno(errno, "sending a netlink request"));
  }
  std::vector<std::uint8_t> answer(kAnswerBytesMax);
  const ssize_t bytes = ::recv(fd_.get(), answer.data(), answer.size(), 0);
  if (bytes < 0) return base::fail(base::Error::from_errno(errno, "reading a netlink answer"));
  answer.resize(static_cast<std::size_t>(bytes));

  nlmsghdr header{};
  if (answer.size() < sizeof(header))
    return base::fail(base::Error(base::ErrorCode::kCorrupt, "short netlink answer"));
  std::memcpy(&header, answer.data(), sizeof(header));
  if (header.nlmsg_type != NLMSG_ERROR) return answer;
  int code = 0;  // struct nlmsgerr begins with it: 0 or a negative errno
  if (answer.size() < sizeof(header) + sizeof(code)) {
    return base::fail(base::Error(base::ErrorCode::kCorrupt, "short netlink answer"));
  }
  std::memcpy(&code, answer.data() + sizeof(header), sizeof(code));
  if (code != 0) return base::fail(base::Error::from_errno(-code, "netlink request refused"));
  return answer;
}

base::Status Rtnetlink::acknowledge(const std::vector<std::uint8_t>& request) {
  auto answer = exchange(request);
  if (!answer) return base::fail(std::move(answer.error()));
  return {};
}

base::Status Rtnetlink::configure(unsigned ifindex, unsigned mtu, unsigned tx_queue_len) {
  Request request(RTM_NEWLINK, NLM_F_ACK);
  request.put(link_message(ifindex));
  request.attribute(IFLA_MTU, mtu);
  request.attribute(IFLA_TXQLEN, tx_queue_len);
  const std::size_t families = request.begin(IFLA_AF_SPEC);
  const std::size_t inet6 = request.begin(AF_INET6);
  const std::uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
  request.attribute(IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode));
  request.end(inet6);
  request.end(families);
  return acknowledge(request.finish());
}

base::Status Rtnetlink::bring_up(unsigned ifindex) {
  Request request(RTM_NEWLINK, NLM_F_ACK);
  ifinfomsg message = link_message(ifindex);
  message.ifi_flags = IFF_UP;
  message.ifi_change = IFF_UP;
  request.put(message);
  return acknowledge(request.finish());
}

base::Status Rtnetlink::add_address(unsigned ifindex, const InterfaceAddress& address) {
  const bool v4 = address.address.family == model::Address::Family::kV4;
  Request request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  request.put(ifaddrmsg{.ifa_family = static_cast<std::uint8_t>(v4 ? AF_INET : AF_INET6),
                        .ifa_prefixlen = address.prefix_bits,
                        .ifa_flags = static_cast<std::uint8_t>(v4 ? 0 : IFA_F_NODAD),
                        .ifa_scope = RT_SCOPE_UNIVERSE,
                        .ifa_index = ifindex});
  const std::size_t bytes = v4 ? 4 : 16;
  request.attribute(IFA_LOCAL, address.address.bytes.data(), bytes);
  request.attribute(IFA_ADDRESS, address.address.bytes.data(), bytes);
  return acknowledge(request.finish());
}

base::Result<bool> Rtnetlink::is_local(const model::Address& address) {
  const bool v4 = address.family == model::Address::Family::kV4;
  Request request(RTM_GETROUTE, 0);
  rtmsg message{};
  message.rtm_family = static_cast<std::uint8_t>(v4 ? AF_INET : AF_INET6);
  message.rtm_dst_len = v4 ? 32 : 128;
  request.put(message);
  request.attribute(RTA_DST, address.bytes.data(), v4 ? 4 : 16);
  const auto answer = exchange(request.finish());
  if (!answer && answer.error().sys_errno() == ENETUNREACH) return false;
  if (!answer) return base::fail(answer.error());
  if (answer->size() < sizeof(nlmsghdr) + sizeof(message)) {
    return base::fail(base::Error(base::ErrorCode::kCorrupt, "short netlink answer"));
  }
  std::memcpy(&message, answer->data() + sizeof(nlmsghdr), sizeof(message));
  return message.rtm_type == RTN_LOCAL;
}

base::Result<LinkStats> Rtnetlink::stats(unsigned ifindex) {
  Request request(RTM_GETLINK, 0);
  request.put(link_message(ifindex));
  auto answer = exchange(request.finish());
  if (!answer)
    return base::fail(std::move(answer.error()).during(fmt::format("statistics of device {}", ifindex)));
  const std::span<const std::uint8_t> value = link_attribute(*answer, IFLA_STATS64);
  if (value.empty())
    return base::fail(base::Error(base::ErrorCode::kUnsupported, "no statistics in the answer"));
  rtnl_link_stats64 stats{};  // newer kernels have more, older ones fewer fields at the end
  std::memcpy(&stats, value.data(), std::min(value.size(), sizeof(stats)));
  return LinkStats{.rx_packets = stats.rx_packets,
                   .tx_packets = stats.tx_packets,
                   .rx_bytes = stats.rx_bytes,
                   .tx_bytes = stats.tx_bytes,
                   .rx_dropped = stats.rx_dropped,
                   .tx_dropped = stats.tx_dropped,
                   .rx_errors = stats.rx_errors,
                   .tx_errors = stats.tx_errors};
}

}  // namespace flowtally::demo
