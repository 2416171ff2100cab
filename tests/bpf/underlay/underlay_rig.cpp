#include "bpf/underlay/underlay_rig.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>

#include "capture/percpu_array.hpp"
#include "capture/percpu_entries.hpp"
#include "capture/underlay.hpp"
#include "support/catch.hpp"
#include "support/privilege.hpp"

namespace flowtally::test {
namespace {

constexpr const char* kNames[2][2] = {{"ft_under_egress_l3", "ft_under_egress_ethernet"},
                                      {"ft_under_ingress_l3", "ft_under_ingress_ethernet"}};

capture::Program load_main() {
  require_bpf();
  auto program = capture::Program::load({});
  if (!program) FAIL(program.error().text());
  return std::move(*program);
}

capture::BpfObject load_underlay(const capture::Program& program) {
  auto object = capture::BpfObject::load(
      {.image = capture::underlay_image(), .what = "underlay object", .shares = &program.object()});
  if (!object) FAIL(object.error().text());
  return std::move(*object);
}

ft_ports* map_ports(int fd) {
  void* const block = ::mmap(nullptr, sizeof(ft_ports), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  REQUIRE(block != MAP_FAILED);
  return static_cast<ft_ports*>(block);
}

ft_address_key address_key(std::string_view text) {
  ft_address_key key{};
  const support::AddressBytes bytes = support::address_bytes(text);
  std::ranges::copy(bytes, std::begin(key.address));
  key.family = text.find(':') == std::string_view::npos ? 4 : 6;
  return key;
}

std::string text_of(const model::Counters& counters) {
  return fmt::format("tx {}/{} rx {}/{}", counters.tx_packets, counters.tx_bytes, counters.rx_packets,
                     counters.rx_bytes);
}

/// A frame to the device's own link address: that of loopback, on which test runs are, is all zeros.
Bytes ethernet_header(const Bytes& ip) {
  Bytes header(ETH_HLEN);
  header[6] = 2;
  header[12] = !ip.empty() && ip[0] >> 4U == 6 ? 0x86 : 0x08;
  header[13] = header[12] == 0x86 ? 0xdd : 0x00;
  return header;
}

}  // namespace

Bytes wireguard(std::uint8_t type, std::size_t bytes) {
  Bytes payload(bytes, 0xaa);
  const std::array<std::uint8_t, 4> head{type, 0, 0, 0};
  std::ranges::copy_n(head.begin(), static_cast<std::ptrdiff_t>(std::min(bytes, head.size())),
                      payload.begin());
  return payload;
}

Bytes disco(std::size_t bytes) {
  Bytes payload(bytes, 0xdd);
  constexpr std::array<std::uint8_t, 6> kMagic{0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac};
  std::ranges::copy_n(kMagic.begin(), static_cast<std::ptrdiff_t>(std::min(bytes, kMagic.size())),
                      payload.begin());
  return payload;
}

Bytes stun(std::size_t bytes) {
  Bytes payload(bytes, 0x55);
  constexpr std::array<std::uint8_t, 8> kHead{0, 1, 0, 20, 0x21, 0x12, 0xa4, 0x42};
  std::ranges::copy_n(kHead.begin(), static_cast<std::ptrdiff_t>(std::min(bytes, kHead.size())),
                      payload.begin());
  return payload;
}

Bytes geneve(std::uint16_t protocol, const Bytes& inner) {
  Bytes payload{0, 0, static_cast<std::uint8_t>(protocol >> 8U), static_cast<std::uint8_t>(protocol), 0, 0,
                7, 0};
  payload.insert(payload.end(), inner.begin(), inner.end());
  return payload;
}

Bytes joined(const std::vector<Bytes>& parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

void UnderlayRig::Unmap::operator()(ft_ports* ports) const noexcept { ::munmap(ports, sizeof(ft_ports)); }

UnderlayRig::UnderlayRig(const Options& options)
    : program_(load_main()),
      object_(load_underlay(program_)),
      ports_(map_ports(object_.map_fd(".data.ports"))) {
  const std::uint32_t cpus = capture::possible_cpus().value();
  for (std::uint32_t slot = 0; slot < FT_GENERATIONS && options.endpoints > 0; ++slot) {
    maps_.push_back(
        capture::PercpuMap::create("physical", sizeof(ft_endpoint_key), options.endpoints, cpus).value());
    const int fd = maps_.back().fd();
    REQUIRE(bpf_map_update_elem(object_.map_fd("physical"), &slot, &fd, BPF_ANY) == 0);
  }
  add_own_address(kOwn4);
  add_own_address(kOwn6);
  set_port(kToldPort, FT_PORT_TOLD);
  control().mark_is_sure = options.mark_is_sure ? 1 : 0;
}

int UnderlayRig::program_fd(capture::Direction direction, Framing framing) const {
  return object_.program_fd(kNames[static_cast<int>(direction)][static_cast<int>(framing)]);
}

void UnderlayRig::add_own_address(std::string_view text, std::uint32_t only_on) {
  const ft_address_key key = address_key(text);
  REQUIRE(bpf_map_update_elem(object_.map_fd("own_addresses"), &key, &only_on, BPF_ANY) == 0);
}

namespace {

void run_bytes(int program_fd, const Bytes& bytes, const support::SkbFields& skb, std::uint32_t mark) {
  __sk_buff context{};
  context.mark = mark;
  context.gso_size = skb.gso_size;
  context.gso_segs = skb.gso_segs;
  context.wire_len = skb.wire_len;
  Bytes out(bytes.size() + 64);
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = bytes.data(), .data_out = out.data(),
              .data_size_in = static_cast<__u32>(bytes.size()),
              .data_size_out = static_cast<__u32>(out.size()), .ctx_in = &context,
              .ctx_size_in = sizeof(context), .repeat = 1);
  REQUIRE(bpf_prog_test_run_opts(program_fd, &options) == 0);
  out.resize(options.data_size_out);
  CHECK(static_cast<int>(options.retval) == -1);
  CHECK(out == bytes);
}

}  // namespace

void UnderlayRig::run(capture::Direction direction, const PacketBuilder& packet, std::uint32_t mark,
                      Framing framing) {
  const Bytes ip = packet.bytes();
  const Bytes bytes = framing == Framing::kBare ? ip : joined({ethernet_header(ip), ip});
  run_bytes(program_fd(direction, framing), bytes, packet.skb(), mark);
}

void UnderlayRig::run_frame(capture::Direction direction, const Bytes& frame, std::uint32_t mark) {
  run_bytes(program_fd(direction, Framing::kEthernet), frame, {}, mark);
}

model::Generation UnderlayRig::read(std::uint32_t generation) {
  model::Generation into;
  const auto index = static_cast<capture::GenerationIndex>(generation);
  const auto cpus = capture::possible_cpus().value();
  const auto totals =
      capture::read_cpus<ft_underlay_totals>(object_.map_fd("underlay_totals"), index, cpus, "totals");
  REQUIRE(totals);
  for (const ft_underlay_totals& cpu : *totals) {
    capture::add(into.underlay.hook, cpu.hook);
    capture::add(into.underlay.disco, cpu.left_out[FT_DATAGRAM_DISCO]);
    capture::add(into.underlay.stun, cpu.left_out[FT_DATAGRAM_STUN]);
    capture::add(into.underlay.other, cpu.left_out[FT_DATAGRAM_OTHER]);
    capture::add(into.underlay.rest, cpu.rest);
    capture::add(into.underlay.tcp, cpu.tcp);
    CHECK(cpu.left_out[FT_DATAGRAM_WIREGUARD].tx_packets == 0);
    CHECK(cpu.left_out[FT_DATAGRAM_WIREGUARD].rx_packets == 0);
  }
  capture::PercpuMap::Scratch scratch;
  if (!maps_.empty()) REQUIRE(capture::read_entries(maps_[generation], scratch, 0, into.physical));
  // The equation of abi.h, whatever the test is about.
  const model::Underlay& under = into.underlay;
  model::Counters sum = under.disco + under.stun + under.other + under.rest;
  for (const auto& entry : into.physical) sum += entry.counters;
  CHECK(sum == under.hook);
  return into;
}

std::string UnderlayRig::counted(std::uint32_t generation) {
  const model::Generation read_back = read(generation);
  std::vector<std::string> lines;
  for (const auto& [key, counters] : read_back.physical) {
    CHECK(key.pad == 0);
    lines.push_back(fmt::format("{:02x}:{}: {}",
                                fmt::join(std::span(key.remote).first(key.family == 4 ? 4 : 16), ""),
                                key.remote_port, text_of(counters)));
  }
  std::ranges::sort(lines);
  const model::Underlay& under = read_back.underlay;
  const std::pair<const char*, model::Counters> sums[] = {{"disco", under.disco},
                                                          {"stun", under.stun},
                                                          {"other", under.other},
                                                          {"rest", under.rest},
                                                          {"tcp", under.tcp}};
  for (const auto& [name, counters] : sums) {
    if (!counters.zero()) lines.push_back(fmt::format("{}: {}", name, text_of(counters)));
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

void UnderlayRig::clear() {
  const auto cpus = capture::possible_cpus().value();
  for (std::uint32_t slot = 0; slot < FT_GENERATIONS; ++slot) {
    const auto index = static_cast<capture::GenerationIndex>(slot);
    if (!maps_.empty()) REQUIRE(capture::erase_entries(maps_[slot], read(slot).physical));
    REQUIRE(capture::zero_cpus<ft_underlay_totals>(object_.map_fd("underlay_totals"), index, cpus, "totals"));
  }
}

}  // namespace flowtally::test
