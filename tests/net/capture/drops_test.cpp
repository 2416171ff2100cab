// Goal: what the TUN drops because its reader is slow is not counted as sent: the flows are what the reader
// got, to the packet and the byte, and the totals still add up.
//
// Method: the test is the reader of a TUN with a short ring, and counts what it gets with a parser of its own
// (demo/wire_count.hpp). First it does not read at all while the kernel sends; then it reads too slowly while
// two CPUs send at full rate and windows are drained all the time.
#include "capture/drops.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <tuple>

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/socket.h>

#include "bpf/capture/rig.hpp"
#include "capture/attachment.hpp"
#include "demo/sockets.hpp"
#include "flow/window_maker.hpp"
#include "model/address_text.hpp"
#include "net/capture/node.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using FlowKey = std::tuple<model::Endpoint, model::Endpoint, std::uint8_t>;
using FlowSums = std::map<FlowKey, model::Counters>;

void add(FlowSums& sums, const std::vector<model::Flow>& flows) {
  for (const model::Flow& flow : flows) sums[{flow.local, flow.remote, flow.proto}] += flow.counters;
}

model::Counters minus(model::Counters left, const model::Counters& right) {
  left.tx_packets -= right.tx_packets;
  left.tx_bytes -= right.tx_bytes;
  left.rx_packets -= right.rx_packets;
  left.rx_bytes -= right.rx_bytes;
  return left;
}

/// Sends one datagram of `size` bytes; with `segment`, as a super-packet of segments of that size. What the
/// device has no room for is dropped in silence: that is the point.
void send_to(const char* remote, std::size_t size, int segment = 0) {
  const auto endpoint = model::parse_endpoint(remote).value();
  const base::UniqueFd socket(::socket(demo::domain_of(endpoint.address), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int source_port = 20000;
  const int reuse = 1;
  REQUIRE(::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) == 0);
  const bool v4 = endpoint.address.family == model::Address::Family::kV4;
  const auto any = demo::SocketAddress::of(
      {.address = model::parse_address(v4 ? "100.64.0.1" : "fd7a:115c:a1e0::1").value(),
       .port = source_port});
  REQUIRE(::bind(socket.get(), any.get(), any.bytes) == 0);
  if (segment > 0) {
    REQUIRE(::setsockopt(socket.get(), SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)) == 0);
  }
  const std::vector<char> data(size, 'x');
  const auto to = demo::SocketAddress::of(endpoint);
  static_cast<void>(::sendto(socket.get(), data.data(), data.size(), 0, to.get(), to.bytes));
}

/// Everything that a TUN's ring can drop: single datagrams, super-packets, fragments, what is left out.
void send_every_kind() {
  for (const char* remote : {"100.64.0.9:4000", "[fd7a:115c:a1e0::9]:4000", "100.64.0.9:4001"}) {
    send_to(remote, 10);
    send_to(remote, 1200);
    send_to(remote, 5000);       // fragments
    send_to(remote, 1720, 500);  // four segments, the last short
    send_to(remote, 12000, 1200);
  }
  send_to("224.0.0.251:5353", 40);
}

/// Sends small datagrams from one pinned thread until told to stop.
class Flood {
 public:
  Flood(unsigned cpu, std::uint16_t port) : thread_([this, cpu, port] { run(cpu, port); }) {}
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;
  ~Flood() {
    stop_ = true;
    thread_.join();
  }

 private:
  void run(unsigned cpu, std::uint16_t port) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    static_cast<void>(::sched_setaffinity(0, sizeof(cpus), &cpus));
    const base::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto to = demo::SocketAddress::of({.address = model::Address::v4({100, 64, 0, 9}), .port = port});
    const std::array<char, 64> data{};
    while (!stop_) {
      for (int burst = 0; burst < 64; ++burst) {
        static_cast<void>(::sendto(socket.get(), data.data(), data.size(), 0, to.get(), to.bytes));
      }
    }
  }

  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace

TEST_CASE("what finds the TUN's ring full is taken off its flow, whatever kind of packet it is", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kVirtio, "tailscale0", 40);
  demo::WireCounter wire;
  tun.read_all(wire);
  wire = {};
  auto capturer = start_capture();
  if (!capturer->status().drops_taken_off) SKIP("this kernel tells no reasons of drops");

  for (int round = 0; round < 20; ++round) send_every_kind();
  REQUIRE(tun.read_all(wire) >= 40);
  const model::Window window = drain(*capturer);
  CHECK(window.totals.dropped.tx_packets > 1000);
  CHECK(window.totals.dropped_late.zero());
  CHECK(window.totals.device_dropped == 0);
  CHECK(window.flows == wire.flows());
  CHECK(minus(window.totals.hook, window.totals.dropped) == wire.totals().all);
  CHECK(window.totals.excluded == wire.totals().excluded);
}

TEST_CASE(
    "with two CPUs sending, a reader too slow and windows drained all the time, the flows are what was read",
    "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kVirtio, "tailscale0", 500);
  demo::WireCounter wire;
  tun.read_all(wire);
  wire = {};
  auto capturer = start_capture();
  if (!capturer->status().drops_taken_off) SKIP("this kernel tells no reasons of drops");

  FlowSums counted;
  model::Counters hook;
  model::Counters dropped;
  model::Counters late;
  const auto take = [&](const model::Window& window) {
    add(counted, window.flows);
    hook += window.totals.hook;
    dropped += window.totals.dropped;
    late += window.totals.dropped_late;
  };
  std::uint64_t windows = 0;
  {
    const Flood first(0, 4000);
    const Flood second(1, 4001);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < end) {
      tun.read_all(wire, 300);
      take(drain(*capturer));  // takes some milliseconds, in which nobody reads
      ++windows;
    }
  }
  tun.read_all(wire);
  take(drain(*capturer));
  INFO(windows << " windows, " << hook.tx_packets << " packets seen, " << dropped.tx_packets << " dropped, "
               << late.tx_packets << " of them late");
  CHECK(windows > 20);
  CHECK(dropped.tx_packets > 10000);
  // A packet that waited in the queue over a flip may be late: then it is in the record of the window before.
  // Those are few, unless the CPU that empties the queue is itself kept waiting, as that of a VM may be.
  CHECK(late.tx_packets <= windows * 2 + dropped.tx_packets / 1000);
  CHECK(minus(minus(hook, dropped), late) == wire.totals().all);
  FlowSums expected;
  add(expected, wire.flows());
  REQUIRE(counted.size() == expected.size());
  for (const auto& [key, counters] : expected) {
    const model::Counters over = minus(counted[key], counters);
    CHECK(over.tx_packets <= late.tx_packets);
  }
}

// A drop between flip and barrier, made by hand: packets fill the ring and are counted; then the hook is
// taken off, so that no CPU counts anything in the new generation, and packets that find the ring full stand
// for those that were counted before the flip.
TEST_CASE("until the barrier a drop is of the retired generation, after it of the active one, or late",
          "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kVirtio, "tailscale0", 40);
  demo::WireCounter wire;
  tun.read_all(wire);
  Rig rig(1024);
  auto watch = capture::DropWatch::open(*rig.program, true);
  if (!watch) SKIP("this kernel tells no reasons of drops");
  rig.generation_switch.expect_drops();
  const capture::Device device{.index = static_cast<capture::IfIndex>(tun.ifindex()),
                               .link_layer = capture::LinkLayer::kL3};
  watch->watch(device);
  {
    auto attachment = capture::Attachment::attach(*rig.program, device, capture::AttachMode::kAuto);
    REQUIRE(attachment);
    for (int packet = 0; packet < 40; ++packet) send_to("100.64.0.9:4000", 100);
  }

  rig.generation_switch.flip(base::now());
  const capture::GenerationIndex retired = rig.generation_switch.retired().value();
  for (int packet = 0; packet < 3; ++packet) send_to("100.64.0.9:4000", 100);
  REQUIRE(rig.generation_switch.barrier());
  for (int packet = 0; packet < 2; ++packet) send_to("100.64.0.9:4000", 100);

  model::Generation generation;
  rig.read(retired, generation);
  rig.reset(retired, generation);
  const model::Window window = flow::make_window(generation);
  CHECK(window.conserved());
  CHECK(window.totals.hook.tx_packets == 40);
  CHECK(window.totals.dropped == model::Counters{.tx_packets = 3, .tx_bytes = 3 * 128});
  CHECK(window.totals.dropped_late.zero());
  REQUIRE(window.flows.size() == 1);
  CHECK(window.flows.front().counters.tx_packets == 37);

  const model::Window next = flow::make_window(rig.drain());
  CHECK(next.conserved());
  CHECK(next.totals.dropped.zero());
  CHECK(next.totals.dropped_late == model::Counters{.tx_packets = 2, .tx_bytes = 2 * 128});
}

TEST_CASE("drops of a device with the same index in another namespace are not ours", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kVirtio, "tailscale0", 10);
  auto capturer = start_capture();
  if (!capturer->status().drops_taken_off) SKIP("this kernel tells no reasons of drops");
  demo::WireCounter wire;
  std::thread([&] {
    REQUIRE(::unshare(CLONE_NEWNET) == 0);
    TestTun foreign(TestTun::Headers::kVirtio, "tailscale0", 10);
    REQUIRE(foreign.ifindex() == tun.ifindex());
    for (int round = 0; round < 50; ++round) send_to("100.64.0.9:4000", 100);
    foreign.read_all(wire);
  }).join();
  REQUIRE(wire.totals().all.tx_packets < 50);
  const model::Window window = drain(*capturer);
  CHECK(window.totals.dropped.zero());
  CHECK(window.totals.dropped_late.zero());
}

TEST_CASE("where drops are not taken off, the device's own count of them goes with the window", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kVirtio, "tailscale0", 10);
  demo::WireCounter wire;
  for (int round = 0; round < 50; ++round)
    send_to("100.64.0.9:4000", 100);  // before the capture: not its drops
  tun.read_all(wire);
  wire = {};
  auto capturer = start_capture({.take_off_drops = false});
  CHECK_FALSE(capturer->status().drops_taken_off);
  for (int round = 0; round < 50; ++round) send_to("100.64.0.9:4000", 100);
  tun.read_all(wire);
  const model::Window window = drain(*capturer);
  CHECK(window.totals.dropped.zero());
  CHECK(window.totals.device_dropped == 50 - wire.totals().all.tx_packets);
  CHECK(window.totals.hook.tx_packets == 50);
  CHECK(drain(*capturer).totals.device_dropped == 0);
}

}  // namespace flowtally::test
