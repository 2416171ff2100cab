// This file is what the net tests of the demo tailnet share: making one, and what must hold when its traffic
// is over.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "demo/demo_net.hpp"
#include "support/catch.hpp"
#include "support/privilege.hpp"

namespace flowtally::test {

using Family = model::Address::Family;

/// Skips where the machine does not allow it.
inline demo::DemoTailnet make_tailnet() {
  require_network();
  auto tailnet = demo::DemoTailnet::make();
  INFO((tailnet ? std::string() : tailnet.error().text()));
  REQUIRE(tailnet);
  return std::move(*tailnet);
}

template <class T>
T must(base::Result<T> result) {
  INFO((result ? std::string() : result.error().text()));
  REQUIRE(result);
  return std::move(*result);
}

inline void wait_until_quiet(const demo::DemoTailnet& tailnet) {
  REQUIRE(tailnet.forwarder().quiet_for(std::chrono::milliseconds(100), std::chrono::milliseconds(5000)));
}

/// What left one side arrived at the other, flow by flow; the devices' statistics say the same and no drop.
inline void check_conservation(demo::DemoTailnet& tailnet) {
  wait_until_quiet(tailnet);
  demo::Forwarder& forwarder = tailnet.forwarder();
  const auto a = forwarder.counted(demo::Side::kA);
  const auto b = forwarder.counted(demo::Side::kB);
  for (const demo::Fault& fault : forwarder.faults()) FAIL(fault.reason << ", " << fault.times << " times");
  const auto mirrored = [](const model::Counters& side) {
    return model::Counters{.tx_packets = side.rx_packets,
                           .tx_bytes = side.rx_bytes,
                           .rx_packets = side.tx_packets,
                           .rx_bytes = side.tx_bytes};
  };
  CHECK(a.totals().all == mirrored(b.totals().all));
  CHECK(a.totals().unparsed.zero());
  CHECK(a.totals().excluded.zero());
  CHECK(model::sum(a.flows()) == a.totals().all);
  auto flows_of_b = b.flows();
  for (model::Flow& flow : flows_of_b) {
    std::swap(flow.local, flow.remote);
    flow.counters = mirrored(flow.counters);
  }
  std::ranges::sort(flows_of_b, model::record_order);
  CHECK(flows_of_b == a.flows());

  for (const demo::Side side : {demo::Side::kA, demo::Side::kB}) {
    const demo::LinkStats stats = must(forwarder.link_stats(side));
    CHECK(stats.tx_packets == forwarder.super_packets(side).read);
    CHECK(stats.rx_packets == forwarder.super_packets(side).written);
    CHECK(stats.tx_dropped == 0);
    CHECK(stats.rx_dropped == 0);
    CHECK(stats.tx_errors + stats.rx_errors == 0);
  }
}

/// The sum at node A over the flows of one protocol, and where not 0, with one remote port.
inline model::Counters counted_at_a(const demo::DemoTailnet& tailnet, std::uint8_t proto,
                                    std::uint16_t port = 0) {
  model::Counters sum;
  for (const model::Flow& flow : tailnet.forwarder().counted(demo::Side::kA).flows()) {
    if (flow.proto == proto && (port == 0 || flow.remote.port == port)) sum += flow.counters;
  }
  return sum;
}

}  // namespace flowtally::test
