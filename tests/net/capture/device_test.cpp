// Goal: the capture follows its device: found when it comes, let go when it goes, counted again when it
// returns, and what others have on the hooks stays as it was.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <net/if.h>
#include <unistd.h>

#include "capture/clsact.hpp"
#include "capture/kernel_check.hpp"
#include "demo/net_namespace.hpp"
#include "net/capture/node.hpp"
#include "support/catch.hpp"
#include "support/packet_builder.hpp"

namespace flowtally::test {
namespace {

using std::chrono::milliseconds;

support::Bytes datagram(std::uint16_t port) {
  return support::packet().ipv4("100.64.0.2", "100.64.0.1").udp(53, port).payload(60).bytes();
}

int command(const std::string& line) { return std::system((line + " >/dev/null 2>&1").c_str()); }

std::string output_of(const std::string& line) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(line.c_str(), "r"), ::pclose);
  REQUIRE(pipe);
  std::string text;
  std::array<char, 4096> part{};
  while (const std::size_t length = std::fread(part.data(), 1, part.size(), pipe.get()))
    text.append(part.data(), length);
  return text;
}

/// Somebody else's program: lets everything on.
base::UniqueFd foreign_program() {
  const std::array<bpf_insn, 2> code{{{.code = 0xb7, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = -1},
                                      {.code = 0x95, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}}};
  return base::UniqueFd(
      bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", code.data(), code.size(), nullptr));
}

std::vector<capture::AttachMode> modes_of_this_kernel() {
  constexpr capture::KernelVersion kTcxSince{.major = 6, .minor = 6};
  if (capture::running_kernel() < kTcxSince) return {capture::AttachMode::kClsact};
  return {capture::AttachMode::kTcx, capture::AttachMode::kClsact};
}

bool has_clsact() { return output_of("tc qdisc show dev tailscale0").find("clsact") != std::string::npos; }

}  // namespace

TEST_CASE("an interface that comes later is counted within a second of its appearance", "[net]") {
  enter_fresh_namespace();
  auto opened = capture::Capturer::open({});
  REQUIRE(opened);
  auto& capturer = **opened;
  CHECK(look(capturer).empty());
  CHECK_FALSE(capturer.status().attached);
  TestTun tun(TestTun::Headers::kBare);
  static_cast<void>(wait_for(capturer, capture::Event::Kind::kAttached, milliseconds(1000)));
  REQUIRE(tun.write(datagram(7)) == 0);
  CHECK(drain(capturer).totals.hook.rx_packets == 1);
}

TEST_CASE("a device that is deleted and made again under traffic is counted whole, each time", "[net]") {
  enter_fresh_namespace();
  auto opened = capture::Capturer::open({});
  REQUIRE(opened);
  auto& capturer = **opened;
  std::uint64_t written = 0;
  model::Counters counted;
  const auto take = [&] { counted += drain(capturer).totals.hook; };
  for (int life = 0; life < 3; ++life) {
    auto tun = std::make_unique<TestTun>(TestTun::Headers::kBare);
    static_cast<void>(wait_for(capturer, capture::Event::Kind::kAttached, milliseconds(1000)));
    // Whoever writes into a TUN does so through tc ingress before write(2) returns, so each success is one to
    // be counted.
    std::atomic<std::uint64_t> successes = 0;
    std::thread writer([&] {
      for (std::uint16_t port = 1; tun->write(datagram(port)) == 0; ++port) ++successes;
    });
    while (successes < 2000) take();
    REQUIRE(command("ip link del tailscale0") == 0);
    writer.join();
    static_cast<void>(wait_for(capturer, capture::Event::Kind::kGone, milliseconds(1000)));
    written += successes;
    take();
  }
  CHECK(counted.rx_packets == written);
  CHECK(counted.rx_bytes == written * 88);
}

TEST_CASE("a device that is moved to another namespace is let go, and counted again when it comes back",
          "[net]") {
  for (const auto mode : modes_of_this_kernel()) {
    enter_fresh_namespace();
    const auto elsewhere = demo::NetNamespace::make().value();
    TestTun tun(TestTun::Headers::kBare);
    auto capturer = start_capture({.mode = mode});
    REQUIRE(tun.write(datagram(7)) == 0);
    CHECK(drain(*capturer).totals.hook.rx_packets == 1);

    REQUIRE(command(fmt::format("ip link set tailscale0 netns /proc/{}/fd/{}", ::getpid(), elsewhere.fd())) ==
            0);
    static_cast<void>(wait_for(*capturer, capture::Event::Kind::kGone, milliseconds(1000)));
    CHECK(capturer->status().gaps == 1);
    REQUIRE(elsewhere.run([&]() -> base::Status {
      REQUIRE(command("ip link set tailscale0 up") == 0);
      REQUIRE(tun.write(datagram(7)) == 0);
      return {};
    }));
    CHECK(drain(*capturer).idle());

    REQUIRE(elsewhere.run([&]() -> base::Status {
      REQUIRE(command(fmt::format("ip link set tailscale0 netns /proc/{}/ns/net", ::getpid())) == 0);
      return {};
    }));
    const std::string text = wait_for(*capturer, capture::Event::Kind::kAttached, milliseconds(1000));
    CHECK(text.find("in which nothing was counted") != std::string::npos);
    CHECK(capturer->status().uncounted_ns > 0);
    REQUIRE(command("ip link set tailscale0 up") == 0);
    REQUIRE(tun.write(datagram(7)) == 0);
    CHECK(drain(*capturer).totals.hook.rx_packets == 1);
  }
}

TEST_CASE("a device that goes down and up, or loses its addresses, is counted on without a gap", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kBare);
  auto capturer = start_capture();
  // What `tailscale down` and `tailscale up` do to the device: its addresses go, it stays.
  REQUIRE(command("ip addr flush dev tailscale0") == 0);
  REQUIRE(tun.write(datagram(7)) == 0);
  REQUIRE(command("ip link set tailscale0 down && ip link set tailscale0 up") == 0);
  REQUIRE(command("ip addr add 100.64.0.1/10 dev tailscale0") == 0);
  CHECK(capturer->take_events().empty());
  REQUIRE(tun.write(datagram(7)) == 0);
  CHECK(drain(*capturer).totals.hook.rx_packets == 2);
  CHECK(capturer->status().gaps == 0);
}

TEST_CASE("a program that somebody takes off is put back", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kBare);
  auto capturer = start_capture({.mode = capture::AttachMode::kClsact});
  REQUIRE(command("tc qdisc del dev tailscale0 clsact") == 0);
  const auto events = capturer->look_at_interface();
  REQUIRE(events.size() == 2);
  CHECK(events[0].kind == capture::Event::Kind::kGone);
  CHECK(events[1].kind == capture::Event::Kind::kAttached);
  REQUIRE(tun.write(datagram(7)) == 0);
  CHECK(drain(*capturer).totals.hook.rx_packets == 1);
}

TEST_CASE("both ways of attaching count the same and leave nothing behind", "[net]") {
  for (const auto mode : modes_of_this_kernel()) {
    enter_fresh_namespace();
    const auto before = programs_loaded();
    TestTun tun(TestTun::Headers::kBare);
    {
      auto capturer = start_capture({.mode = mode});
      CHECK(has_clsact() == (mode == capture::AttachMode::kClsact));
      for (std::uint16_t port = 1; port <= 100; ++port) REQUIRE(tun.write(datagram(port)) == 0);
      const model::Window window = drain(*capturer);
      CHECK(window.totals.hook.rx_packets == 100);
      CHECK(window.flows.size() >= 100);
      CHECK_FALSE(std::ranges::includes(before, programs_loaded()));
    }
    CHECK_FALSE(has_clsact());
    CHECK(new_programs_go(before));
  }
}

TEST_CASE("a clsact qdisc and filters of others survive ours", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kBare);
  const base::UniqueFd foreign = foreign_program();
  REQUIRE(foreign.valid());
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(tun.ifindex()), .attach_point = BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = foreign.get(), .handle = 1, .priority = 1);

  SECTION("there before us, in the very place that we would take") {
    REQUIRE(bpf_tc_hook_create(&hook) == 0);
    REQUIRE(bpf_tc_attach(&hook, &options) == 0);
    {
      auto capturer = start_capture({.mode = capture::AttachMode::kClsact});
      REQUIRE(tun.write(datagram(7)) == 0);
      CHECK(drain(*capturer).totals.hook.rx_packets == 1);
    }
  }
  SECTION("there after us, on the qdisc that we made") {
    {
      auto capturer = start_capture({.mode = capture::AttachMode::kClsact});
      options.handle = 77;
      options.priority = 77;
      REQUIRE(bpf_tc_attach(&hook, &options) == 0);
    }
  }
  LIBBPF_OPTS(bpf_tc_opts, query, .handle = options.handle, .priority = options.priority);
  CHECK(bpf_tc_query(&hook, &query) == 0);
  CHECK(has_clsact());
  CHECK_FALSE(capture::clsact_is_empty(static_cast<capture::IfIndex>(tun.ifindex())));
}

TEST_CASE("a TCX program of somebody else stays, and ours sees the packets too", "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kBare);
  const base::UniqueFd foreign = foreign_program();
  LIBBPF_OPTS(bpf_link_create_opts, options);
  const base::UniqueFd link(
      bpf_link_create(foreign.get(), static_cast<int>(tun.ifindex()), BPF_TCX_INGRESS, &options));
  if (!link.valid()) SKIP("this kernel has no TCX");
  {
    auto capturer = start_capture();
    CHECK(capturer->status().attached_by == "TCX");
    REQUIRE(tun.write(datagram(7)) == 0);
    CHECK(drain(*capturer).totals.hook.rx_packets == 1);
  }
  bpf_link_info info{};
  std::uint32_t length = sizeof(info);
  REQUIRE(bpf_link_get_info_by_fd(link.get(), &info, &length) == 0);
  CHECK(info.tcx.ifindex == tun.ifindex());
}

TEST_CASE("an Ethernet device is counted from its IP header on, other frames as unparsed", "[net]") {
  enter_fresh_namespace();
  REQUIRE(command("ip link add veth0 type veth peer name veth1") == 0);
  REQUIRE(command("ip addr add 10.1.1.1/24 dev veth0 && ip link set veth0 up && ip link set veth1 up") == 0);
  REQUIRE(command("ip neigh add 10.1.1.2 lladdr 02:00:00:00:00:02 dev veth0 nud permanent") == 0);
  auto capturer = start_capture({.interface = "veth0"});
  static_cast<void>(drain(*capturer));
  static_cast<void>(command("ping -c 3 -i 0.01 -W 1 -s 100 10.1.1.2"));
  const model::Window window = drain(*capturer);
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  for (const model::Flow& flow : window.flows) {
    if (flow.proto != 1) continue;
    packets += flow.counters.tx_packets;
    bytes += flow.counters.tx_bytes;
  }
  CHECK(packets == 3);
  CHECK(bytes == 3 * 128);
  static_cast<void>(command("ping -c 1 -W 1 10.1.1.3"));  // asks by ARP who that is
  CHECK(drain(*capturer).totals.unparsed_packets[FT_UNPARSED_NOT_IP] >= 1);
}

TEST_CASE("a device that carries neither IP packets nor Ethernet frames is refused with a reason", "[net]") {
  enter_fresh_namespace();
  auto opened = capture::Capturer::open({.interface = "nothere0"});
  REQUIRE(opened);
  CHECK(look(**opened).empty());
}

TEST_CASE("a storm of ten times as many keys as --max-flows through a TUN is conserved, with early drains",
          "[net]") {
  enter_fresh_namespace();
  TestTun tun(TestTun::Headers::kBare);
  constexpr std::uint32_t kFlowsMax = 2048;
  auto capturer = start_capture({.flows_max = kFlowsMax});
  static_cast<void>(drain(*capturer));
  std::atomic<bool> done = false;
  std::thread storm([&] {
    for (std::uint32_t key = 0; key < 10 * kFlowsMax; ++key) {
      const auto bytes = support::packet()
                             .ipv4("100.64.0.2", "100.64.0.1")
                             .udp(static_cast<std::uint16_t>(key % 65536), 7)
                             .payload(60)
                             .bytes();
      if (tun.write(bytes) != 0) std::abort();
    }
    done = true;
  });
  model::Counters counted;
  std::size_t pressure_events = 0;
  const auto take = [&] {
    const model::Window window = drain(*capturer);
    counted += window.totals.hook;
    return window;
  };
  while (!done) {
    for (const auto& event : capturer->take_events()) {
      if (event.kind != capture::Event::Kind::kPressure) continue;
      ++pressure_events;
      take();
    }
  }
  storm.join();
  take();
  CHECK(pressure_events > 0);
  CHECK(counted.rx_packets == 10 * kFlowsMax);
  CHECK(counted.rx_bytes == 10 * kFlowsMax * 88ULL);
}

}  // namespace flowtally::test
