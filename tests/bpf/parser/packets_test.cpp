// The table of packets (support/packet_vectors.hpp) on the loaded program: every packet, on every hook, is
// found in exactly one place with exactly its packets and bytes, and leaves as it came.
#include <algorithm>
#include <string>

#include "outcome.hpp"
#include "parser_indirect.skel.h"
#include "support/catch.hpp"
#include "support/packet_vectors.hpp"
#include "support/prog_run.hpp"

namespace flowtally::support {
namespace {

std::span<const std::byte> indirect_image() {
  std::size_t size = 0;
  const void* const bytes = parser_indirect::elf_bytes(&size);
  return {static_cast<const std::byte*>(bytes), size};
}

/// The kernel makes no Ethernet skb whose packet is shorter than the IP header that its type names.
bool kernel_may_refuse(Hook hook, std::span<const std::uint8_t> bytes) {
  const std::size_t header = !bytes.empty() && bytes[0] / 16 == 6 ? 40 : 20;
  return is_ethernet(hook) && bytes.size() < header;
}

/// Runs and compares one packet. "" where all is as it should be.
std::string run_and_compare(LoadedProgram& program, Hook hook, std::span<const std::uint8_t> bytes,
                            const SkbFields& skb, const Counted& expected) {
  const auto cleared = program.clear(0);
  if (!cleared) return cleared.error().text();
  const auto run = program.run(hook, bytes, skb);
  if (!run) {
    const bool refused =
        run.error().code() == base::ErrorCode::kInvalidArgument && kernel_may_refuse(hook, bytes);
    return refused ? "" : run.error().text();
  }
  if (run->verdict != -1) return "the verdict is not \"next\"";
  if (!std::ranges::equal(run->packet, bytes)) return "the packet was changed";
  const std::string is = counted_text(program);
  const std::string should_be = describe(expected);
  return is == should_be ? "" : "counted:\n" + is + "\nexpected:\n" + should_be;
}

void check_vectors(LoadedProgram& program, const std::vector<PacketVector>& vectors) {
  for (const PacketVector& vector : vectors) {
    const Bytes bytes = vector.packet.bytes();
    for (const Hook hook : kHooks) {
      if (!is_ethernet(hook) && bytes.size() < kTestRunBytesMin) continue;
      const std::string difference =
          run_and_compare(program, hook, bytes, vector.packet.skb(), expected_of(vector, direction_of(hook)));
      INFO(vector.name << " on " << name_of(hook) << ": " << rebuild_command(bytes, vector.packet.skb()));
      CHECK(difference == "");
    }
  }
}

TEST_CASE("transport headers on every hook") {
  auto program = load_or_skip();
  check_vectors(program, transport_vectors());
}

TEST_CASE("IP headers, sound and broken, on every hook") {
  auto program = load_or_skip();
  check_vectors(program, ipv4_header_vectors());
}

TEST_CASE("fragments on every hook") {
  auto program = load_or_skip();
  check_vectors(program, fragment_vectors());
}

TEST_CASE("extension headers on every hook") {
  auto program = load_or_skip();
  check_vectors(program, extension_vectors());
}

TEST_CASE("what Tailscale leaves out, on every hook") {
  auto program = load_or_skip();
  check_vectors(program, exclusion_vectors());
}

TEST_CASE("super-packets on every hook") {
  auto program = load_or_skip();
  check_vectors(program, super_packet_vectors());
}

TEST_CASE("headers that are not in the linear part of the skb are read all the same") {
  auto program = load_or_skip({.image = indirect_image()});
  check_vectors(program, packet_vectors());
}

// Goal: the loaded program, too, never reads behind a packet. Method: each packet of the table cut at every
// length up to the end of its headers, on one hook of either kind, against the reference parser.
TEST_CASE("every packet of the table, cut at every length, is counted as the reference parser says") {
  auto program = load_or_skip();
  constexpr std::size_t kHeadersMax = 128;
  for (const PacketVector& vector : packet_vectors()) {
    const Bytes whole = vector.packet.bytes();
    for (std::size_t size = 1; size <= std::min(whole.size(), kHeadersMax); size++) {
      const auto cut = std::span(whole).first(size);
      const Hook hook = size < kTestRunBytesMin ? Hook::kIngressEthernet : Hook::kEgressL3;
      const auto expected = expected_by_reference(cut, {}, direction_of(hook));
      const std::string difference = run_and_compare(program, hook, cut, {}, expected);
      if (!difference.empty()) FAIL(vector.name << " cut at " << size << ": " << difference);
    }
  }
}

TEST_CASE("what is not IP by its Ethernet type is not looked into") {
  auto program = load_or_skip();
  const Bytes looks_like_ip = packet().ipv4("100.64.0.1", "100.64.0.2").tcp(1, 2).bytes();
  constexpr std::uint16_t kArp = 0x0806;
  REQUIRE(program.run_ethernet(Hook::kIngressEthernet, kArp, looks_like_ip).has_value());
  CHECK(counted_text(program) == "hook: tx 0/0 rx 1/40\nunparsed: tx 0/0 rx 1/40\nunparsed reason 1: 1");
}

TEST_CASE("with the exclusion off everything that is parsed is a flow") {
  auto program = load_or_skip({.exclude = false});
  auto vectors = exclusion_vectors();
  for (PacketVector& vector : vectors) {
    vector.expected.excluded_on_egress(FT_COUNTED).excluded_on_ingress(FT_COUNTED);
  }
  check_vectors(program, vectors);
}

TEST_CASE("both directions of a connection are one entry with four counters") {
  auto program = load_or_skip();
  const auto out = packet().ipv4("100.64.0.1", "100.64.0.2").tcp(40000, 443);
  const auto back = packet().ipv4("100.64.0.2", "100.64.0.1").tcp(443, 40000);
  run_packet(program, Hook::kEgressL3, PacketBuilder(out).payload(10));
  run_packet(program, Hook::kEgressEthernet, out);
  run_packet(program, Hook::kIngressL3, PacketBuilder(back).payload(100));
  CHECK(counted_text(program) ==
        "flow 4 64400001:40000 64400002:443 proto 6: tx 2/90 rx 1/140\nhook: tx 2/90 rx 1/140");
}

}  // namespace
}  // namespace flowtally::support
