#include "net/capture/node.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <linux/if_tun.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.hpp"
#include "demo/segment.hpp"
#include "flow/window_maker.hpp"
#include "support/catch.hpp"
#include "support/privilege.hpp"

namespace flowtally::test {
namespace {

demo::InterfaceAddress address4() {
  return {.address = model::Address::v4({100, 64, 0, 1}), .prefix_bits = 10};
}
demo::InterfaceAddress address6() {
  return {.address = model::Address::v6({0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}),
          .prefix_bits = 48};
}

}  // namespace

void enter_fresh_namespace() {
  require_network();
  if (::unshare(CLONE_NEWNET) != 0) SKIP("needs the right to make network namespaces");
  auto netlink = demo::Rtnetlink::open().value();
  REQUIRE(netlink.bring_up(if_nametoindex("lo")));
}

TestTun::TestTun(Headers headers, const std::string& name, unsigned queue_packets)
    : headers_(headers), fd_(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)) {
  REQUIRE(fd_.valid());
  ifreq request{};
  std::ranges::copy(name, request.ifr_name);
  request.ifr_flags = headers == Headers::kVirtio ? IFF_TUN | IFF_NO_PI | IFF_VNET_HDR : IFF_TUN | IFF_NO_PI;
  REQUIRE(::ioctl(fd_.get(), TUNSETIFF, &request) == 0);
  if (headers == Headers::kVirtio) {
    constexpr unsigned kUdpSegments = 0x20 | 0x40;  // TUN_F_USO4, TUN_F_USO6
    constexpr unsigned kTcpSegments = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    if (::ioctl(fd_.get(), TUNSETOFFLOAD, kTcpSegments | kUdpSegments) != 0) {
      REQUIRE(::ioctl(fd_.get(), TUNSETOFFLOAD, kTcpSegments) == 0);
    }
  }
  ifindex_ = if_nametoindex(name.c_str());
  auto netlink = demo::Rtnetlink::open().value();
  REQUIRE(netlink.configure(ifindex_, 1280, queue_packets));
  REQUIRE(netlink.add_address(ifindex_, address4()));
  REQUIRE(netlink.add_address(ifindex_, address6()));
  REQUIRE(netlink.bring_up(ifindex_));
}

int TestTun::write(std::span<const std::uint8_t> packet, const demo::VnetHeader& header) {
  const std::array<iovec, 2> parts{
      {{.iov_base = const_cast<demo::VnetHeader*>(&header), .iov_len = sizeof(header)},
       {.iov_base = const_cast<std::uint8_t*>(packet.data()), .iov_len = packet.size()}}};
  const bool bare = headers_ == Headers::kBare;
  const auto written = ::writev(fd_.get(), bare ? &parts[1] : parts.data(), bare ? 1 : 2);
  return written < 0 ? errno : 0;
}

std::size_t TestTun::read_all(demo::WireCounter& counter, std::size_t most) {
  std::vector<std::uint8_t> buffer(65536 + sizeof(demo::VnetHeader));
  std::size_t reads = 0;
  while (reads < most) {
    const auto length = ::read(fd_.get(), buffer.data(), buffer.size());
    if (length < 0) {
      REQUIRE(errno == EAGAIN);
      return reads;
    }
    ++reads;
    demo::PacketView packet(buffer.data(), static_cast<std::size_t>(length));
    demo::VnetHeader header;
    if (headers_ == Headers::kVirtio) {
      std::memcpy(&header, packet.data(), sizeof(header));
      packet = packet.subspan(sizeof(header));
    }
    demo::PacketBatch wire;
    REQUIRE(demo::split(header, packet, wire));
    for (std::size_t at = 0; at < wire.size(); ++at) counter.count(demo::Direction::kTx, wire[at]);
  }
  return reads;
}

std::unique_ptr<capture::Capturer> start_capture(capture::CaptureOptions options) {
  auto capturer = capture::Capturer::open(options);
  INFO((capturer ? std::string() : capturer.error().text()));
  REQUIRE(capturer);
  for (const auto& event : look(**capturer)) {
    INFO(event.text);
    REQUIRE(event.kind == capture::Event::Kind::kAttached);
  }
  REQUIRE((*capturer)->status().attached);
  return std::move(*capturer);
}

std::vector<capture::Event> look(capture::Capturer& capturer) {
  std::vector<capture::Event> events = capturer.look_at_interface();
  std::erase_if(events,
                [](const capture::Event& event) { return event.kind == capture::Event::Kind::kLimited; });
  return events;
}

model::Window drain(capture::Capturer& capturer) {
  auto generation = capturer.drain();
  INFO((generation ? std::string() : generation.error().text()));
  REQUIRE(generation);
  model::Window window = flow::make_window(**generation);
  REQUIRE(capturer.acknowledge());
  CHECK(window.conserved());
  return window;
}

std::string wait_for(capture::Capturer& capturer, capture::Event::Kind kind,
                     std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (std::chrono::steady_clock::now() < end) {
    pollfd ready{.fd = capturer.event_fd(), .events = POLLIN, .revents = 0};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 1))) <= 0) continue;
    for (const auto& event : capturer.take_events()) {
      if (event.kind == kind) return event.text;
    }
  }
  FAIL("the event did not come within " << deadline.count() << " ms");
  return {};
}

std::set<std::uint32_t> programs_loaded() {
  std::set<std::uint32_t> ids;
  for (std::uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
    const base::UniqueFd program(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    std::uint32_t length = sizeof(info);
    if (!program.valid() || bpf_prog_get_info_by_fd(program.get(), &info, &length) != 0) continue;
    const std::string_view name(info.name);
    if (name.starts_with("ft_egress") || name.starts_with("ft_ingress") || name.starts_with("ft_under"))
      ids.insert(id);
  }
  return ids;
}

bool new_programs_go(const std::set<std::uint32_t>& before) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (;;) {
    const auto now = programs_loaded();
    if (std::ranges::includes(before, now)) return true;
    if (std::chrono::steady_clock::now() >= end) return false;
    ::poll(nullptr, 0, 5);
  }
}

}  // namespace flowtally::test
