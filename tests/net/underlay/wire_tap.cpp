#include "net/underlay/wire_tap.hpp"

#include <cstring>
#include <span>
#include <vector>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "demo/packet_batch.hpp"
#include "demo/segment.hpp"
#include "demo/vnet_header.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

constexpr int kBufferBytes = 64 << 20;

/// The virtio header of a frame as that of the packet inside.
demo::VnetHeader without_ethernet(demo::VnetHeader header) {
  header.flags &= demo::kNeedsChecksum;
  if (header.csum_start >= ETH_HLEN)
    header.csum_start = static_cast<std::uint16_t>(header.csum_start - ETH_HLEN);
  return header;
}

}  // namespace

WireTap::WireTap(const std::string& device)
    : fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  REQUIRE(fd_.valid());
  const int on = 1;
  REQUIRE(::setsockopt(fd_.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) == 0);
  REQUIRE(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof(kBufferBytes)) == 0);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
  REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
}

void WireTap::read() {
  demo::VnetHeader header;
  std::vector<std::uint8_t> buffer(sizeof(header) + ETH_HLEN + 65536);
  for (;;) {
    sockaddr_ll from{};
    socklen_t from_bytes = sizeof(from);
    const auto length = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from), &from_bytes);
    if (length < 0) break;
    const unsigned type = ntohs(from.sll_protocol);
    if (type != ETH_P_IP && type != ETH_P_IPV6) continue;
    std::memcpy(&header, buffer.data(), sizeof(header));
    super_packets_ += header.gso_size != 0 ? 1 : 0;
    const auto ip = std::span<const std::uint8_t>(buffer)
                        .first(static_cast<std::size_t>(length))
                        .subspan(sizeof(header) + ETH_HLEN);
    demo::PacketBatch wire;
    REQUIRE(demo::split(without_ethernet(header), ip, wire));
    const bool leaves = from.sll_pkttype == PACKET_OUTGOING;
    for (std::size_t at = 0; at < wire.size(); ++at) {
      counter_.count(leaves ? demo::Direction::kTx : demo::Direction::kRx, wire[at]);
    }
  }
  tpacket_stats statistics{};
  socklen_t bytes = sizeof(statistics);
  REQUIRE(::getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &bytes) == 0);
  REQUIRE(statistics.tp_drops == 0);
}

model::Counters WireTap::sum(std::uint8_t proto, std::uint16_t local_port) const {
  model::Counters sum;
  for (const model::Flow& flow : counter_.flows()) {
    if (flow.proto == proto && flow.local.port == local_port) sum += flow.counters;
  }
  return sum;
}

}  // namespace flowtally::test
