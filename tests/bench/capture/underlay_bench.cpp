// Goal: what the underlay's programs cost the packets of others, which are nearly all on a busy device, and
// tailscaled's own, over an empty tc program.
//
// Method: as path_bench.cpp: one process, the same packet, interleaved rounds, CPU time; a row is the median
// over rounds of the ratio within a round. The programs for Ethernet, because that is what an underlay is.
// TCP of tailscaled's on ingress, which looks for its socket, is not in it: a test run has none.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include "bench/capture/bench.hpp"
#include "capture/bpf_object.hpp"
#include "capture/percpu_array.hpp"
#include "capture/percpu_map.hpp"
#include "capture/program.hpp"
#include "capture/underlay.hpp"
#include "driver.skel.h"
#include "support/packet_builder.hpp"

namespace flowtally::bench {
namespace {

using capture::Direction;
using support::packet;
using support::PacketBuilder;

constexpr int kRounds = 21;
constexpr int kPackets = 400'000;
constexpr std::uint16_t kForeignPort = 443;
constexpr std::uint16_t kToldPort = 41641;
constexpr std::uint32_t kTailscaledMark = 0x80000;
constexpr const char* kOwn4 = "192.0.2.1";
constexpr const char* kOwn6 = "2001:db8::1";
constexpr const char* kPeer4 = "198.51.100.9";
constexpr const char* kPeer6 = "2001:db8:9::9";

/// The underlay's object beside the main one: kToldPort is tailscaled's, kOwn4 and kOwn6 are this host's.
class Underlay {
 public:
  Underlay()
      : program_(capture::Program::load({}).value()),
        object_(
            capture::BpfObject::load(
                {.image = capture::underlay_image(), .what = "underlay object", .shares = &program_.object()})
                .value()),
        cpus_(capture::possible_cpus().value()),
        endpoints_(
            capture::PercpuMap::create("endpoints", sizeof(ft_endpoint_key), capture::kEndpointEntries, cpus_)
                .value()) {
    constexpr std::uint32_t kFirst = 0;
    const int fd = endpoints_.fd();
    FLOWTALLY_CHECK(bpf_map_update_elem(object_.map_fd("physical"), &kFirst, &fd, BPF_ANY) == 0);
    const auto ports = std::make_unique<ft_ports>();
    ports->udp[kToldPort] = FT_PORT_TOLD;
    FLOWTALLY_CHECK(bpf_map_update_elem(object_.map_fd(".data.ports"), &kFirst, ports.get(), BPF_ANY) == 0);
    own(kOwn4, 4);
    own(kOwn6, 6);
    program_.control().mark_is_sure = 1;
  }

  [[nodiscard]] int program_fd(Direction direction) const noexcept {
    return object_.program_fd(direction == Direction::kTx ? "ft_under_egress_ethernet"
                                                          : "ft_under_ingress_ethernet");
  }
  /// Packets of tailscaled's so far.
  [[nodiscard]] std::uint64_t counted() const {
    const auto cpus = capture::read_cpus<ft_underlay_totals>(
        object_.map_fd("underlay_totals"), capture::GenerationIndex::kFirst, cpus_, "totals of the underlay");
    model::Counters sum;
    for (const ft_underlay_totals& cpu : cpus.value()) {
      capture::add(sum, cpu.hook);
      capture::add(sum, cpu.tcp);
    }
    return sum.tx_packets + sum.rx_packets;
  }

 private:
  void own(std::string_view text, std::uint32_t family) {
    ft_address_key key{};
    std::ranges::copy(support::address_bytes(text), key.address);
    key.family = family;
    constexpr std::uint32_t kAnyDevice = 0;
    FLOWTALLY_CHECK(bpf_map_update_elem(object_.map_fd("own_addresses"), &key, &kAnyDevice, BPF_ANY) == 0);
  }

  capture::Program program_;
  capture::BpfObject object_;
  std::uint32_t cpus_;
  capture::PercpuMap endpoints_;
};

struct Case {
  std::string name;
  Direction direction;
  PacketBuilder packet;
  std::uint32_t mark = 0;
};

std::vector<Case> cases() {
  return {{"TCP of others, sent", Direction::kTx, packet().ipv4(kOwn4, kPeer4).tcp(kForeignPort, 50000)},
          {"UDP of others, sent", Direction::kTx, packet().ipv4(kOwn4, kPeer4).udp(kForeignPort, 50000)},
          {"TCP of others, received", Direction::kRx, packet().ipv4(kPeer4, kOwn4).tcp(50000, kForeignPort)},
          {"UDP of others, received", Direction::kRx, packet().ipv4(kPeer4, kOwn4).udp(50000, kForeignPort)},
          {"TCP of others, received, IPv6", Direction::kRx,
           packet().ipv6(kPeer6, kOwn6).tcp(50000, kForeignPort)},
          {"UDP of others, received, IPv6", Direction::kRx,
           packet().ipv6(kPeer6, kOwn6).udp(50000, kForeignPort)},
          {"tailscaled's UDP, sent", Direction::kTx, packet().ipv4(kOwn4, kPeer4).udp(kToldPort, 41641),
           kTailscaledMark},
          {"tailscaled's UDP, received", Direction::kRx, packet().ipv4(kPeer4, kOwn4).udp(41641, kToldPort)},
          {"tailscaled's UDP, received, IPv6", Direction::kRx,
           packet().ipv6(kPeer6, kOwn6).udp(41641, kToldPort)},
          {"tailscaled's TCP, sent", Direction::kTx, packet().ipv4(kOwn4, kPeer4).tcp(50000, 443),
           kTailscaledMark}};
}

/// With the addresses of loopback on the link, where test runs are: a frame for this host.
std::vector<std::uint8_t> frame_of(const Case& one) {
  PacketBuilder whole = one.packet;
  const support::Bytes ip = whole.payload(160).bytes();
  std::vector<std::uint8_t> frame(14 + ip.size());
  const bool is_v6 = one.packet.family() == 6;
  frame[12] = is_v6 ? 0x86 : 0x08;
  frame[13] = is_v6 ? 0xdd : 0x00;
  std::ranges::copy(ip, frame.begin() + 14);
  return frame;
}

double run(int program_fd, const std::vector<std::uint8_t>& frame, std::uint32_t mark) {
  __sk_buff context{};
  context.mark = mark;
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
              .data_size_in = static_cast<__u32>(frame.size()), .ctx_in = &context,
              .ctx_size_in = sizeof(context), .repeat = kPackets);
  const std::int64_t start = cpu_ns();
  FLOWTALLY_CHECK(bpf_prog_test_run_opts(program_fd, &options) == 0);
  const double elapsed = static_cast<double>(cpu_ns() - start);
  FLOWTALLY_CHECK(static_cast<int>(options.retval) == -1);
  return elapsed / kPackets;
}

void measure(const Underlay& underlay, int empty_fd, const Case& one, bool json) {
  const auto frame = frame_of(one);
  const int program_fd = underlay.program_fd(one.direction);
  std::vector<double> empty;
  std::vector<double> ours;
  std::vector<double> ratio;
  const std::uint64_t before = underlay.counted();
  for (int round = 0; round < kRounds; ++round) {
    empty.push_back(run(empty_fd, frame, one.mark));
    ours.push_back(run(program_fd, frame, one.mark));
    ratio.push_back(ours.back() / empty.back());
  }
  // What is timed is what is meant.
  const bool others = one.name.find("others") != std::string::npos;
  FLOWTALLY_CHECK(underlay.counted() - before == (others ? 0 : std::uint64_t{kRounds} * kPackets));
  fmt::print(
      fmt::runtime(json ? "{{\"bench\":\"underlay\",\"row\":\"{}\",\"empty_ns\":{:.1f},\"ours_ns\":{:.1f},"
                          "\"ratio\":{:.2f}}}\n"
                        : "{:<34} {:>10.1f} {:>10.1f} {:>12.2f}\n"),
      one.name, median(empty), median(ours), median(ratio));
}

}  // namespace

int run_all(bool json) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(0, &only);
  ::pthread_setaffinity_np(::pthread_self(), sizeof(only), &only);
  const Underlay underlay;
  driver* const skeleton = driver::open_and_load();
  FLOWTALLY_CHECK(skeleton != nullptr);
  if (!json) fmt::print("{:<34} {:>10} {:>10} {:>12}\n", "per packet", "empty ns", "ours ns", "ours/empty");
  for (const Case& one : cases()) measure(underlay, bpf_program__fd(skeleton->progs.empty), one, json);
  driver::destroy(skeleton);
  return 0;
}

}  // namespace flowtally::bench

int main(int argc, char** argv) {
  return flowtally::bench::run_all(argc > 1 && std::strcmp(argv[1], "--json") == 0);
}
