// Goal: the demo tailnet carries everything and counts it truly, so that it can be a judge of other counters.
// Method: real traffic through two kernels' stacks; the forwarder's counts of both ends, the devices' own
// statistics and what the sockets saw must all agree.
#include "demo/demo_net.hpp"

#include <array>
#include <cstring>
#include <filesystem>
#include <iterator>

#include <net/if.h>
#include <sys/ioctl.h>

#include "demo/sockets.hpp"
#include "net/demo/demo_fixture.hpp"

using namespace flowtally;
using demo::DemoTailnet;
using demo::Side;
using test::Family;
using test::must;

namespace {

base::Status take_down(const char* device) {
  const base::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, device, sizeof(request.ifr_name) - 1);
  if (::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) {
    return base::fail(base::Error::from_errno(errno, "taking the device down"));
  }
  return {};
}

std::ptrdiff_t entries_of(const char* directory) {
  std::error_code none;
  return std::distance(std::filesystem::directory_iterator(directory, none),
                       std::filesystem::directory_iterator());
}

}  // namespace

TEST_CASE("100 MB of TCP arrive intact, as super-packets on both devices") {
  DemoTailnet tailnet = test::make_tailnet();
  const std::uint64_t bytes = 100'000'000;
  const auto started = std::chrono::steady_clock::now();

  const auto report = must(
      demo::tcp_bulk(tailnet.path(Side::kA, Family::kV4), bytes, {.deadline = std::chrono::seconds(20)}));

  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  UNSCOPED_INFO("Gbit/s: " << 8e-9 * static_cast<double>(bytes) / took.count());
  CHECK(report.bytes_received == bytes);
  test::check_conservation(tailnet);

  const model::Counters counted = test::counted_at_a(tailnet, 6);
  CHECK(counted.tx_packets >= bytes / 1228);  // MTU 1280 less the IP and TCP headers with timestamps
  CHECK(counted.tx_bytes >= bytes + counted.tx_packets * 40);
  CHECK(tailnet.forwarder().super_packets(Side::kA).read * 4 < counted.tx_packets);
  CHECK(tailnet.forwarder().super_packets(Side::kB).written * 4 < counted.tx_packets);
}

TEST_CASE("TCP over IPv6 and against the direction of observation is carried and counted alike") {
  DemoTailnet tailnet = test::make_tailnet();
  const std::uint64_t bytes = 20'000'000;
  must(demo::tcp_bulk(tailnet.path(Side::kB, Family::kV6), bytes, {}));
  test::check_conservation(tailnet);
  const model::Counters counted = test::counted_at_a(tailnet, 6);
  CHECK(counted.rx_bytes >= bytes + counted.rx_packets * 60);
  CHECK(tailnet.forwarder().super_packets(Side::kA).written * 4 < counted.rx_packets);
}

TEST_CASE("no packet appears by itself") {
  const DemoTailnet tailnet = test::make_tailnet();
  // Router solicitations and multicast reports would come within the first second.
  CHECK(tailnet.forwarder().quiet_for(std::chrono::milliseconds(1200), std::chrono::milliseconds(5000)));
  CHECK(tailnet.forwarder().counted(Side::kA).totals().all.zero());
  CHECK(tailnet.forwarder().counted(Side::kB).totals().all.zero());
}

TEST_CASE("what the other end does not take is a fault with its reason and no arrival") {
  DemoTailnet tailnet = test::make_tailnet();
  REQUIRE(tailnet.namespace_b().run([] { return take_down(demo::kDemoDevice); }));
  CHECK_FALSE(
      demo::ping(tailnet.path(Side::kA, Family::kV4), 1, {.deadline = std::chrono::milliseconds(200)}));
  test::wait_until_quiet(tailnet);

  const auto faults = tailnet.forwarder().faults();
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].reason == "writing to B: Input/output error");
  CHECK(faults[0].times == 1);
  CHECK(tailnet.forwarder().counted(Side::kA).totals().all.tx_packets == 1);
  CHECK(tailnet.forwarder().counted(Side::kB).totals().all.zero());
}

TEST_CASE("after stop nothing is carried any more and the counts remain") {
  DemoTailnet tailnet = test::make_tailnet();
  must(demo::ping(tailnet.path(Side::kA, Family::kV4), 3, {}));
  test::wait_until_quiet(tailnet);
  tailnet.forwarder().stop();
  tailnet.forwarder().stop();
  CHECK_FALSE(
      demo::ping(tailnet.path(Side::kA, Family::kV4), 1, {.deadline = std::chrono::milliseconds(100)}));
  CHECK(test::counted_at_a(tailnet, 1).tx_packets == 3);
  CHECK_FALSE(tailnet.forwarder().quiet_for(std::chrono::milliseconds(10), std::chrono::milliseconds(50)));
}

TEST_CASE("nothing is left behind") {
  test::require_network();
  const auto descriptors = entries_of("/proc/self/fd");
  const auto threads = entries_of("/proc/self/task");
  const auto names = entries_of("/run/netns");
  const unsigned own_device = ::if_nametoindex(demo::kDemoDevice);
  {
    const DemoTailnet one = test::make_tailnet();
    const DemoTailnet two =
        test::make_tailnet();  // independent of the first, of the same names and addresses
    must(demo::ping(one.path(Side::kA, Family::kV4), 2, {}));
    must(demo::ping(two.path(Side::kB, Family::kV6), 3, {}));
    test::wait_until_quiet(one);
    test::wait_until_quiet(two);
    CHECK(test::counted_at_a(one, 1).tx_packets == 2);
    CHECK(test::counted_at_a(two, 58).rx_packets == 3);
    CHECK(::if_nametoindex(demo::kDemoDevice) == own_device);
    CHECK(entries_of("/run/netns") == names);
  }
  CHECK(entries_of("/proc/self/fd") == descriptors);
  CHECK(entries_of("/proc/self/task") == threads);
  CHECK(entries_of("/run/netns") == names);
  CHECK(::if_nametoindex(demo::kDemoDevice) == own_device);
}
