// Goal: a window is judged by the newest state of the tailnet; for an unknown address it is asked anew, but
// nobody waits in vain for long. Method: a source that says what the test says, and counts how often it is
// asked.
#include "app/attribution.hpp"

#include <utility>

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include "model/address_text.hpp"
#include "support/catch.hpp"

namespace flowtally::app {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

model::Tailnet tailnet_with(const std::vector<std::string>& peers) {
  model::Tailnet tailnet{.source = model::Tailnet::Source::kTailscaled};
  tailnet.self.id = "nSelf";
  tailnet.self.addresses = {model::parse_address("100.64.0.1").value()};
  tailnet.prefs = model::RoutingPrefs{};
  for (const std::string& text : peers) {
    model::Node peer{.id = "nPeer" + text};
    peer.addresses = {model::parse_address(text).value()};
    tailnet.peers.push_back(std::move(peer));
  }
  return tailnet;
}

/// Answers refresh() with `next`, where there is one.
class FakeSource final : public identity::IdentitySource {
 public:
  explicit FakeSource(model::Tailnet tailnet) : nodes(model::NodeMap::make(std::move(tailnet))) {}
  [[nodiscard]] identity::Snapshot snapshot() const override { return {.nodes = nodes, .read_boot_ns = 1}; }
  bool refresh(std::chrono::milliseconds) override {
    ++asked;
    if (!next) return false;
    nodes = std::exchange(next, nullptr);
    return true;
  }
  [[nodiscard]] int event_fd() const override { return -1; }
  [[nodiscard]] std::vector<identity::Event> take_events() override { return {}; }
  [[nodiscard]] identity::Status status() const override { return state; }

  std::shared_ptr<const model::NodeMap> nodes;
  std::shared_ptr<const model::NodeMap> next;
  identity::Status state{.reachable = true, .reads = 1};
  int asked = 0;
};

struct Bench {
  explicit Bench(model::Tailnet tailnet, AttributionOptions options = {})
      : logger("test", std::make_shared<spdlog::sinks::null_sink_st>()) {
    auto owned = std::make_unique<FakeSource>(std::move(tailnet));
    source = owned.get();
    attribution = std::make_unique<Attribution>(std::move(owned), std::move(options), logger);
  }
  spdlog::logger logger;
  FakeSource* source = nullptr;
  std::unique_ptr<Attribution> attribution;
};

/// A window that ends at `second` of the boot clock, with one flow to `remote`.
model::Window window_to(const char* remote, std::int64_t second) {
  model::Window window;
  window.end.boot_ns = second * kSecond;
  window.flows = {{.local = {.address = model::parse_address("100.64.0.1").value(), .port = 1},
                   .remote = {.address = model::parse_address(remote).value(), .port = 2},
                   .proto = 6,
                   .counters = {.tx_packets = 1, .tx_bytes = 60}}};
  return window;
}

std::size_t in(const model::ClassifiedWindow& window, model::TrafficClass which) {
  return window.of(which).size();
}

TEST_CASE("a window of known addresses asks nobody", "[unit]") {
  Bench bench(tailnet_with({"100.64.0.2"}));
  CHECK(in(bench.attribution->attribute(window_to("100.64.0.2", 1), kIdentityWait),
           model::TrafficClass::kVirtual) == 1);
  CHECK(bench.source->asked == 0);
}

TEST_CASE("an unknown address asks anew, and the answer judges the same window", "[unit]") {
  Bench bench(tailnet_with({}));
  bench.source->next = model::NodeMap::make(tailnet_with({"100.64.0.2"}));
  CHECK(in(bench.attribution->attribute(window_to("100.64.0.2", 1), kIdentityWait),
           model::TrafficClass::kVirtual) == 1);
  CHECK(bench.source->asked == 1);
  bench.source->next = model::NodeMap::make(tailnet_with({"100.64.0.2", "100.64.0.3"}));
  CHECK(in(bench.attribution->attribute(window_to("100.64.0.3", 1), kIdentityWait),
           model::TrafficClass::kVirtual) == 1);
  CHECK(bench.source->asked == 2);
}

TEST_CASE("answers that do not help are asked for at growing pauses", "[unit]") {
  Bench bench(tailnet_with({}));
  std::vector<std::int64_t> asked_at;
  for (std::int64_t second = 0; second < 1000; second += 5) {
    const int before = bench.source->asked;
    CHECK(in(bench.attribution->attribute(window_to("100.64.0.9", second), kIdentityWait),
             model::TrafficClass::kExit) == 1);
    if (bench.source->asked > before) asked_at.push_back(second);
  }
  CHECK(asked_at == std::vector<std::int64_t>{0, 5, 10, 20, 40, 75, 140, 270, 430, 590, 750, 910});

  // One that helps ends the pauses.
  bench.source->next = model::NodeMap::make(tailnet_with({"100.64.0.9"}));
  static_cast<void>(bench.attribution->attribute(window_to("100.64.0.9", 2000), kIdentityWait));
  const int before = bench.source->asked;
  static_cast<void>(bench.attribution->attribute(window_to("100.64.0.7", 2000), kIdentityWait));
  CHECK(bench.source->asked == before + 1);
}

TEST_CASE("nobody waits for a tailscaled that is away; before its first answer it may be waited for",
          "[unit]") {
  Bench away(tailnet_with({}));
  away.source->state = {.reachable = false, .reads = 3, .failures = 1};
  static_cast<void>(away.attribution->attribute(window_to("100.64.0.9", 1), kIdentityWait));
  CHECK(away.source->asked == 0);

  // Nor while the interface is away: it must be seen at once when it comes back.
  Bench detached(tailnet_with({}));
  static_cast<void>(detached.attribution->attribute(window_to("100.64.0.9", 1), kIdentityWait.zero()));
  CHECK(detached.source->asked == 0);

  Bench young(tailnet_with({}));
  young.source->state = {};
  static_cast<void>(young.attribution->attribute(window_to("100.64.0.9", 1), kIdentityWait));
  CHECK(young.source->asked == 1);
}

TEST_CASE("the node id is what the user said, else what identity says, else the fallback", "[unit]") {
  Bench said(tailnet_with({}), {.node_id = "nUser", .node_id_fallback = "nHost"});
  CHECK(said.attribution->node_id(said.attribution->attribute(window_to("1.2.3.4", 1), kIdentityWait)) ==
        "nUser");
  Bench known(tailnet_with({}), {.node_id_fallback = "nHost"});
  CHECK(known.attribution->node_id(known.attribution->attribute(window_to("1.2.3.4", 1), kIdentityWait)) ==
        "nSelf");
  Bench nobody(model::Tailnet{}, {.node_id_fallback = "nHost"});
  CHECK(nobody.attribution->node_id(nobody.attribution->attribute(window_to("1.2.3.4", 1), kIdentityWait)) ==
        "nHost");
  model::Tailnet endless = tailnet_with({});
  endless.self.id.assign(5000, 'n');
  Bench long_id(std::move(endless), {.node_id_fallback = "nHost"});
  CHECK(long_id.attribution->node_id(
            long_id.attribution->attribute(window_to("1.2.3.4", 1), kIdentityWait)) == "nHost");
}

TEST_CASE("tailscaled's sockets are handed on once per change", "[unit]") {
  model::Tailnet tailnet = tailnet_with({});
  tailnet.udp_ports = {41641};
  Bench bench(tailnet);
  CHECK(bench.attribution->changed_sockets() == TailscaledSockets{.udp_ports = {41641}, .marked = true});
  CHECK_FALSE(bench.attribution->changed_sockets());
  bench.source->nodes = model::NodeMap::make(tailnet);  // read again, and the same
  CHECK_FALSE(bench.attribution->changed_sockets());
  tailnet.uses_socket_mark = false;
  bench.source->nodes = model::NodeMap::make(tailnet);
  CHECK(bench.attribution->changed_sockets() == TailscaledSockets{.udp_ports = {41641}, .marked = false});
}

TEST_CASE("exit flows are anonymised unless the user or the tailnet says otherwise", "[unit]") {
  const auto row_of = [](Bench& bench) {
    return bench.attribution->attribute(window_to("1.2.3.4", 1), kIdentityWait)
        .of(model::TrafficClass::kExit)
        .front();
  };
  Bench usual(tailnet_with({}));
  CHECK(row_of(usual).proto == 0);
  CHECK_FALSE(row_of(usual).remote.address.valid());
  Bench asked(tailnet_with({}), {.log_exit_flows = true});
  CHECK(row_of(asked).proto == 6);
  model::Tailnet policy = tailnet_with({});
  policy.log_exit_flows = true;
  Bench allowed(std::move(policy));
  CHECK(row_of(allowed).remote.address.valid());
}

}  // namespace
}  // namespace flowtally::app
