// Goal: what finds no room is coarser, never gone: flows + coarse + unparsed + excluded = hook totals, in
// packets and bytes, whatever the map refuses; and busy flows keep their own entries through it.
#include <algorithm>
#include <memory>
#include <utility>

#include "bpf/capture/fire.hpp"
#include "bpf/capture/rig.hpp"
#include "flow/window_maker.hpp"
#include "flow_refusing.skel.h"
#include "support/catch.hpp"
#include "support/privilege.hpp"

namespace flowtally {
namespace {

constexpr std::uint32_t kFlowsMax = 2048;

std::span<const std::byte> refusing_image() {
  std::size_t size = 0;
  const void* const bytes = flow_refusing::elf_bytes(&size);
  return {static_cast<const std::byte*>(bytes), size};
}

struct Rig : test::Rig {
  explicit Rig(std::span<const std::byte> image) : test::Rig(kFlowsMax, image) {}

  model::Window drain() { return flow::make_window(test::Rig::drain()); }

  void send(std::uint32_t number, std::uint32_t repeat = 1) {
    REQUIRE(test::run_packet(*program, capture::Direction::kTx, test::numbered_packet(number), repeat) == -1);
  }
  void send6(std::uint32_t number) {
    REQUIRE(test::run_packet(*program, capture::Direction::kRx, test::numbered_packet6(number), 1) == -1);
  }
};

std::uint64_t packets_of_flow(const model::Window& window, std::uint32_t number) {
  const auto packet = test::numbered_packet(number);
  for (const model::Flow& flow : window.flows) {
    if (std::equal(packet.begin() + 12, packet.begin() + 16, flow.local.address.bytes.begin(),
                   [](std::byte left, std::uint8_t right) {
                     return std::to_integer<std::uint8_t>(left) == right;
                   })) {
      return flow.counters.tx_packets;
    }
  }
  return 0;
}

}  // namespace

TEST_CASE("ten times as many keys as --max-flows are flows or coarse, to the packet and the byte", "[bpf]") {
  test::require_bpf();
  Rig rig(capture::production_image());
  // Some windows first, so that the table has grown to what it may.
  for (int window = 0; window < 3; ++window) {
    for (std::uint32_t number = 0; number < 2 * kFlowsMax; ++number) rig.send(number);
    CHECK(rig.drain().conserved());
  }
  for (std::uint32_t number = 0; number < 10 * kFlowsMax; ++number) {
    rig.send(number);
    rig.send6(number);
  }
  const model::Window window = rig.drain();
  CHECK(window.conserved());
  CHECK(window.totals.hook == model::Counters{.tx_packets = 10 * kFlowsMax,
                                              .tx_bytes = 10 * kFlowsMax * 60ULL,
                                              .rx_packets = 10 * kFlowsMax,
                                              .rx_bytes = 10 * kFlowsMax * 80ULL});
  CHECK(window.flows.size() >= kFlowsMax / 2);
  CHECK(window.flows.size() <= 2 * kFlowsMax);
  CHECK_FALSE(window.coarse.empty());
  CHECK(window.totals.flow_insert_failures[FT_INSERT_FULL] > 0);
}

TEST_CASE("busy flows keep their own entries while a scan fills the table", "[bpf]") {
  test::require_bpf();
  Rig rig(capture::production_image());
  constexpr std::uint32_t kBusy = 20;
  // The scan comes first in each window, so that without a kept place the busy flows would find the table
  // full.
  for (int window = 0; window < 4; ++window) {
    const std::uint32_t scan_from = 1000;
    if (window == 0) {
      for (std::uint32_t number = 0; number < kBusy; ++number) rig.send(number, 50);
    }
    for (std::uint32_t number = scan_from; number < scan_from + 10 * kFlowsMax; ++number) rig.send(number);
    if (window > 0) {
      for (std::uint32_t number = 0; number < kBusy; ++number) rig.send(number, 50);
    }
    const model::Window drained = rig.drain();
    CHECK(drained.conserved());
    if (window == 1)
      continue;  // the other generation: its places were kept when it was emptied, before window 0
    for (std::uint32_t number = 0; number < kBusy; ++number) CHECK(packets_of_flow(drained, number) == 50);
  }
}

TEST_CASE("refused inserts are counted coarsely, then by protocol, with the reason", "[bpf]") {
  test::require_bpf();
  Rig rig(refusing_image());
  constexpr std::uint32_t kKeys = 800;
  for (std::uint32_t number = 0; number < kKeys; ++number) rig.send(number, 3);
  const model::Window window = rig.drain();
  CHECK(window.conserved());
  CHECK(window.totals.hook.tx_packets == kKeys * 3);
  CHECK(window.flows.size() == kKeys / 8 * 6);
  CHECK(window.totals.flow_insert_failures[FT_INSERT_BUSY] == kKeys / 8 * 3);
  CHECK(window.totals.flow_insert_failures[FT_INSERT_MEMORY] == kKeys / 8 * 3);
  CHECK(window.totals.flow_insert_failures[FT_INSERT_FULL] == 0);
  REQUIRE(window.coarse.size() == 1);
  CHECK(window.coarse[0].counters.tx_packets == kKeys / 8 * 2 * 3);
  CHECK(window.coarse[0].proto == 17);
  CHECK(window.coarse[0].remote.port == 0);
  CHECK_FALSE(window.coarse[0].local.address.valid());
}

TEST_CASE("where coarse entries are refused too, the protocol and its sum remain", "[bpf]") {
  test::require_bpf();
  Rig rig(refusing_image());
  auto packet = test::numbered_packet(3);  // refused as a flow
  packet[19] = std::byte{5};               // and its peer as a coarse entry
  REQUIRE(test::run_packet(*rig.program, capture::Direction::kTx, packet, 7) == -1);
  const model::Window window = rig.drain();
  CHECK(window.conserved());
  CHECK(window.flows.empty());
  REQUIRE(window.coarse.size() == 1);
  CHECK_FALSE(window.coarse[0].remote.address.valid());
  CHECK(window.coarse[0].proto == 17);
  CHECK(window.coarse[0].counters == model::Counters{.tx_packets = 7, .tx_bytes = 7 * 60});
  CHECK(window.totals.coarse_insert_failures[FT_INSERT_MEMORY] == 7);
  CHECK(rig.drain().idle());
  CHECK(rig.drain().idle());
}

TEST_CASE("memory follows the traffic: tables grow after a full window and shrink after quiet ones",
          "[bpf]") {
  test::require_bpf();
  Rig rig(capture::production_image());
  const auto both = {capture::GenerationIndex::kFirst, capture::GenerationIndex::kSecond};
  for (const auto index : both) CHECK(rig.table->capacity(index).flows4 == capture::kFlowsMin);
  for (std::uint32_t number = 0; number < 2 * kFlowsMax; ++number) rig.send(number);
  rig.drain();
  rig.drain();
  for (const auto index : both) {
    CHECK(rig.table->capacity(index).flows4 == kFlowsMax);
    CHECK(rig.table->capacity(index).flows6 == capture::kFlowsMin);
  }
}

}  // namespace flowtally
