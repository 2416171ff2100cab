// Goal: on whatever device tailscaled's packets leave, each is counted once; devices and addresses that come
// later are counted from then on, and at the end nothing of ours is left.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "net/capture/node.hpp"
#include "net/capture/underlay_net.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using model::Counters;
using std::chrono::milliseconds;

const std::string kNode4 = "192.0.2.1:41641";
const std::string kNode6 = "[2001:db8::1]:41641";
const std::string kPeer4 = "192.0.2.2:4000";
const std::string kPeer6 = "[2001:db8::2]:4000";

/// Ten datagrams each way as super-packets, and one alone, in both families: what has to be counted of it.
ByEndpoint talk(const Wire& wire) {
  const UdpSocket node4(kNode4, kTailscaledMark);
  const UdpSocket node6(kNode6, kTailscaledMark);
  const UdpSocket peer4(wire.peer(), kPeer4);
  const UdpSocket peer6(wire.peer(), kPeer6);
  pass(node4, peer4, kPeer4, wireguard(160));
  node4.send(kPeer4, wireguard(9 * 320 + 96), 320);
  peer4.expect(10);
  peer4.send(kNode4, wireguard(9 * 320 + 96), 320);
  node4.expect(10);
  pass(node6, peer6, kPeer6, wireguard(160));
  node6.send(kPeer6, wireguard(9 * 320 + 96), 320);
  peer6.expect(10);
  peer6.send(kNode6, wireguard(9 * 320 + 96), 320);
  node6.expect(10);
  const Counters counters{.tx_packets = 11, .tx_bytes = 160 + 2976, .rx_packets = 10, .rx_bytes = 2976};
  return {{kPeer4, counters}, {kPeer6, counters}};
}

void check_counted_once(const Wire& wire, capture::Capturer& capturer) {
  static_cast<void>(drain(capturer));
  const ByEndpoint expected = talk(wire);
  CHECK(physical_of(drain(capturer)) == expected);
}

/// A device of a kind that not every kernel has.
void add_or_skip(const std::string& name, const std::string& kind, const std::string& below = {}) {
  const std::string link = below.empty() ? "" : "link " + below;
  if (std::system(fmt::format("ip link add {} name {} type {} >/dev/null 2>&1", link, name, kind).c_str()) !=
      0)
    SKIP("this kernel makes no device of type " << kind);
}

/// Of a device `part0` that shares `under0`, which has addresses too.
void check_part(const Wire& wire) {
  shell("ip addr add 198.51.100.1/24 dev under0 && ip link set part0 up");
  wire.give_addresses("part0");
  const auto capturer = count_underlay({"part0", "under0"});
  check_counted_once(wire, *capturer);
}

}  // namespace

TEST_CASE("a bridge has the address, and what passes it and its port is counted once", "[net]") {
  const Wire wire;
  shell("ip link add br0 type bridge && ip link set br0 up && ip link set under0 master br0");
  wire.give_addresses("br0");
  const auto capturer = count_underlay({"br0"});
  check_counted_once(wire, *capturer);

  // An address on the port as well, which is of no use and does occur.
  shell("ip addr add 192.0.2.77/32 dev under0");
  CHECK(look(*capturer).empty());
  check_counted_once(wire, *capturer);
}

TEST_CASE("a bond has the address, and what passes it and its port is counted once", "[net]") {
  const Wire wire;
  add_or_skip("bond0", "bond mode active-backup");
  shell("ip link set under0 down && ip link set under0 master bond0 && ip link set bond0 up");
  wire.give_addresses("bond0");
  const auto capturer = count_underlay({"bond0"});
  check_counted_once(wire, *capturer);
}

TEST_CASE("what a VLAN's device sends and the one below it carries is counted once", "[net]") {
  // Tags in the skb's metadata, as network cards take them, and in the frame.
  for (const char* const tagging : {"on", "off"}) {
    const Wire wire;
    shell(fmt::format("ethtool -K under0 txvlan {}", tagging));
    shell_in(wire.peer(), fmt::format("ethtool -K peer0 txvlan {}", tagging));
    add_or_skip("under0.7", "vlan id 7", "under0");
    shell("ip link set under0.7 up");
    shell_in(wire.peer(), "ip link add link peer0 name peer0.7 type vlan id 7 && ip link set peer0.7 up");
    wire.give_addresses("under0.7", "peer0.7");
    {
      const auto capturer = count_underlay({"under0.7"});
      check_counted_once(wire, *capturer);
    }
    shell("ip addr add 198.51.100.1/24 dev under0");
    const auto capturer = count_underlay({"under0", "under0.7"});
    check_counted_once(wire, *capturer);
  }
}

TEST_CASE("what a macvlan sends through a device with addresses of its own is counted once", "[net]") {
  const Wire wire;
  add_or_skip("part0", "macvlan mode bridge", "under0");
  check_part(wire);
}

TEST_CASE("what an ipvlan sends through a device with addresses of its own is counted once", "[net]") {
  const Wire wire;
  add_or_skip("part0", "ipvlan mode l2", "under0");
  check_part(wire);
}

TEST_CASE("a device is counted from when it has an address, and again after it has been made anew", "[net]") {
  const auto before = programs_loaded();
  {
    const Wire wire;
    const auto capturer = count_underlay({});
    CHECK_FALSE(drain(*capturer).underlay.counted);
    for (int life = 0; life < 3; ++life) {
      if (life != 0) wire.make_devices();
      wire.give_addresses();
      const std::string text = wait_for(*capturer, capture::Event::Kind::kUnderlay, milliseconds(1000));
      CHECK(text.find(" under0 ") != std::string::npos);
      static_cast<void>(capturer->take_events());
      const ByEndpoint expected = talk(wire);
      shell("ip link del under0");
      static_cast<void>(capturer->take_events());
      const model::Window window = drain(*capturer);
      CHECK(window.underlay.counted);
      CHECK(physical_of(window) == expected);
    }
    CHECK_FALSE(drain(*capturer).underlay.counted);
  }
  CHECK(new_programs_go(before));
}

TEST_CASE("an address that the device gets later is an own one from then on, one that it loses no more",
          "[net]") {
  const Wire wire;
  wire.give_addresses();
  const auto capturer = count_underlay({"under0"});
  shell("ip addr add 192.0.2.9/24 dev under0");
  static_cast<void>(capturer->take_events());
  const UdpSocket peer(wire.peer(), kPeer4);
  {
    const UdpSocket node("192.0.2.9:41641", kTailscaledMark);
    pass(node, peer, kPeer4, wireguard(160));
    pass(peer, node, "192.0.2.9:41641", wireguard(96));
    CHECK(physical_of(drain(*capturer)) ==
          ByEndpoint{{kPeer4, {.tx_packets = 1, .tx_bytes = 160, .rx_packets = 1, .rx_bytes = 96}}});
  }
  shell("ip addr del 192.0.2.9/24 dev under0");
  static_cast<void>(capturer->take_events());
  // Nobody has the address now; the device sees what is sent to it all the same.
  shell_in(wire.peer(),
           "ip neigh replace 192.0.2.9 dev peer0 nud permanent lladdr "
           "$(ip -o neigh show 192.0.2.1 dev peer0 | grep -o 'lladdr [0-9a-f:]*' | cut -d' ' -f2)");
  peer.send("192.0.2.9:41641", wireguard(96));
  const UdpSocket node(kNode4, kTailscaledMark);
  pass(peer, node, kNode4, wireguard(112));  // comes behind the other
  CHECK(physical_of(drain(*capturer)) == ByEndpoint{{kPeer4, {.rx_packets = 1, .rx_bytes = 112}}});
}

TEST_CASE("only the devices that were asked for are counted, whether they have addresses or not", "[net]") {
  const Wire wire;
  shell("ip link add other0 type veth peer name other1");
  shell("ip addr add 198.51.100.1/24 dev other0 && ip link set other0 up && ip link set other1 up");
  wire.give_addresses();
  {
    const auto capturer = count_underlay({"other0"}, capture::AttachMode::kAuto, {"other0"});
    static_cast<void>(talk(wire));
    CHECK(drain(*capturer).underlay.hook.zero());
  }
  const auto capturer = count_underlay({"under0"}, capture::AttachMode::kAuto, {"under0", "nothere0"});
  check_counted_once(wire, *capturer);
}

TEST_CASE("a program of the underlay that somebody takes off is put back", "[net]") {
  const Wire wire;
  wire.give_addresses();
  const auto capturer = count_underlay({"under0"}, capture::AttachMode::kClsact);
  shell("tc qdisc del dev under0 clsact");
  const auto events = look(*capturer);
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == capture::Event::Kind::kUnderlay);
  check_counted_once(wire, *capturer);
}

TEST_CASE("the underlay and a counted TUN are drained together, and both are left as they were", "[net]") {
  const auto before = programs_loaded();
  const Wire wire;
  wire.give_addresses();
  TestTun tun(TestTun::Headers::kBare);
  for (const auto mode : {capture::AttachMode::kAuto, capture::AttachMode::kClsact}) {
    auto capturer = capture::Capturer::open({.mode = mode, .underlay = {.enabled = true}}).value();
    REQUIRE(look(*capturer).size() == 2);  // the TUN and under0; the TUN has a Tailscale address
    CHECK(capturer->status().attached);
    check_counted_once(wire, *capturer);
    capturer->detach();
    static_cast<void>(talk(wire));
    CHECK(drain(*capturer).underlay.hook.zero());
  }
  CHECK(std::system("tc qdisc show | grep -q clsact") != 0);
  CHECK(new_programs_go(before));
}

}  // namespace flowtally::test
