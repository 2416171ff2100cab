// Goal: a large transfer through real TUNs with TSO on is exact, flow by flow, in both directions.
#include "app/demo_table.hpp"
#include "demo/demo_net.hpp"
#include "flow/window_maker.hpp"
#include "net/capture/node.hpp"
#include "support/catch.hpp"
#include "support/privilege.hpp"

namespace flowtally::test {

TEST_CASE("a TCP transfer of 600 MB each way with TSO on is exact to the packet and the byte", "[net]") {
  require_network();
  auto tailnet = demo::DemoTailnet::make();
  REQUIRE(tailnet);
  std::vector<model::Flow> counted;
  model::Counters hook;

  const auto transfer = tailnet->namespace_a().run([&]() -> base::Status {
    auto capturer = capture::Capturer::open({});
    if (!capturer) return base::fail(std::move(capturer.error()));
    static_cast<void>((*capturer)->look_at_interface());
    const auto take = [&]() -> base::Status {
      auto generation = (*capturer)->drain();
      if (!generation) return base::fail(std::move(generation.error()));
      const model::Window window = flow::make_window(**generation);
      if (!window.conserved())
        return base::fail(base::Error(base::ErrorCode::kCorrupt, "a window does not add up"));
      counted.insert(counted.end(), window.flows.begin(), window.flows.end());
      hook += window.totals.hook;
      return (*capturer)->acknowledge();
    };
    for (const demo::Side from : {demo::Side::kA, demo::Side::kB}) {
      for (const auto family : {model::Address::Family::kV4, model::Address::Family::kV6}) {
        auto report =
            demo::tcp_bulk(tailnet->path(from, family), 300'000'000, {.deadline = std::chrono::seconds(60)});
        if (!report) return base::fail(std::move(report.error()));
        if (auto taken = take(); !taken) return taken;
      }
    }
    if (!tailnet->forwarder().quiet_for(std::chrono::milliseconds(200), std::chrono::seconds(10))) {
      return base::fail(base::Error(base::ErrorCode::kInternal, "packets still pass"));
    }
    return take();
  });
  INFO((transfer ? std::string() : transfer.error().text()));
  REQUIRE(transfer);

  std::sort(counted.begin(), counted.end(), model::record_order);
  std::vector<model::Flow> merged;
  for (const model::Flow& flow : counted) {
    if (!merged.empty() && !model::record_order(merged.back(), flow)) {
      merged.back().counters += flow.counters;
    } else {
      merged.push_back(flow);
    }
  }
  const auto wire = tailnet->forwarder().counted(demo::Side::kA);
  const app::Comparison comparison = app::compare(wire.flows(), wire.totals().all, merged, hook);
  INFO(app::table_text(comparison, false));
  CHECK(comparison.exact());
  CHECK(wire.totals().all.tx_bytes > 600'000'000);
  CHECK(wire.totals().all.rx_bytes > 600'000'000);
  // The kernel's side saw super-packets: else this test would prove nothing.
  CHECK(tailnet->forwarder().super_packets(demo::Side::kA).read * 4 < wire.totals().all.tx_packets);
}

}  // namespace flowtally::test
