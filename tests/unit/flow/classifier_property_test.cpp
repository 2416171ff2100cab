// Goal: whatever the tailnet and the window are, every flow is in exactly one class, the right one, and
// nothing is lost or added by anonymising and merging. Method: random tailnets and windows from small pools
// of addresses, so that every rule is met often; the class is compared with one decided straight from the
// words of the six rules (and of the older rule), on the slow look-ups of unit/model/reference.hpp.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "flow/classifier.hpp"
#include "support/catch.hpp"
#include "unit/model/random_tailnet.hpp"
#include "unit/model/reference.hpp"
#include "unit/model/texts.hpp"

namespace flowtally::flow {
namespace {

namespace reference = model::reference;
using model::Address;
using model::Counters;
using model::Endpoint;
using model::Flow;
using model::Tailnet;
using model::TrafficClass;
using Key = std::tuple<Endpoint, Endpoint, std::uint8_t>;

Key key_of(const Flow& flow) { return {flow.local, flow.remote, flow.proto}; }

/// The rules in the words of their description, for one tailnet.
class Oracle {
 public:
  explicit Oracle(const Tailnet& tailnet) : tailnet_(tailnet), routes_(reference::routes(tailnet)) {}

  [[nodiscard]] TrafficClass class_of(const Flow& flow) const {
    const Address& dst = flow.remote.address;
    if (!flow.local.address.valid() && !dst.valid()) return TrafficClass::kVirtual;
    if (nobody_told() || !tailnet_.prefs) return by_ranges(flow.local.address, dst);
    const auto src_node = flow.local.address.valid() ? reference::node_at(tailnet_, flow.local.address) : 0;
    const auto dst_node = reference::node_at(tailnet_, dst);
    if (src_node == 0U && dst_node) return TrafficClass::kVirtual;                            // rule 3
    if (src_node == 0U) return in_routes(dst) ? TrafficClass::kSubnet : TrafficClass::kExit;  // 4
    if (dst_node) return in_routes(flow.local.address) ? TrafficClass::kSubnet : TrafficClass::kExit;  // 5
    return TrafficClass::kExit;                                                                        // 6
  }

  [[nodiscard]] Flow anonymous(const Flow& flow) const {
    const auto kept = [&](const Address& address) {
      const bool node = reference::node_at(tailnet_, address).has_value();
      return node || (nobody_told() && reference::is_tailscale(address)) ? address : Address{};
    };
    return {.local = {.address = kept(flow.local.address), .port = 0},
            .remote = {.address = kept(flow.remote.address), .port = 0},
            .proto = 0,
            .counters = flow.counters};
  }

  [[nodiscard]] bool unknown(const Address& address) const {
    if (!reference::is_tailscale(address) || reference::node_at(tailnet_, address)) return false;
    if (address == model::address("100.100.100.100") || address == model::address("fd7a:115c:a1e0::53")) {
      return false;
    }
    const auto& services = tailnet_.service_addresses;
    return !reference::holds(model::prefix("fd7a:115c:a1e0:b1a::/64"), address) &&
           std::count(services.begin(), services.end(), address) == 0 &&
           !reference::route_owner(tailnet_, address);
  }

 private:
  [[nodiscard]] bool nobody_told() const { return tailnet_.source == Tailnet::Source::kNone; }
  [[nodiscard]] bool in_routes(const Address& address) const { return reference::routed(routes_, address); }

  [[nodiscard]] TrafficClass by_ranges(const Address& src, const Address& dst) const {
    std::vector<Address> outside;
    for (const Address& end : {src, dst}) {
      if (end.valid() && !reference::is_tailscale(end)) outside.push_back(end);
    }
    if (outside.empty()) return TrafficClass::kVirtual;
    const bool any_inner = std::ranges::any_of(outside, [&](const Address& end) {
      if (!nobody_told()) return in_routes(end);
      return std::ranges::any_of(model::prefixes({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                                  "169.254.0.0/16", "fc00::/7", "fe80::/10"}),
                                 [&](const model::Prefix& range) { return reference::holds(range, end); });
    });
    return any_inner ? TrafficClass::kSubnet : TrafficClass::kExit;
  }

  const Tailnet& tailnet_;
  std::vector<model::Prefix> routes_;
};

Counters random_counters(model::RandomTailnet& random) {
  return {.tx_packets = random.below(1000),
          .tx_bytes = random.below(1'000'000),
          .rx_packets = 1 + random.below(1000),
          .rx_bytes = random.below(1'000'000)};
}

/// As make_window gives it: sorted, each key once. Small ones too, in which nobody is a stranger.
model::Window random_window(model::RandomTailnet& random) {
  std::set<Key> keys;
  const auto end = [&](unsigned ports) {
    return Endpoint{.address = random.any_address(), .port = static_cast<std::uint16_t>(random.below(ports))};
  };
  const auto proto = [&] { return static_cast<std::uint8_t>(random.one_in(2) ? 6 : 17); };
  const std::uint64_t size = random.one_in(2) ? 4 : 60;
  for (auto left = random.below(size); left > 0; --left) keys.emplace(end(3), end(3), proto());
  for (auto left = random.below(size / 4 + 1); left > 0; --left) keys.emplace(Endpoint{}, end(1), proto());
  if (random.one_in(3)) keys.emplace(Endpoint{}, Endpoint{}, proto());
  model::Window window{.epoch = 1 + random.below(100)};
  for (const auto& [local, remote, number] : keys) {
    (local.address.valid() ? window.flows : window.coarse)
        .push_back({.local = local, .remote = remote, .proto = number, .counters = random_counters(random)});
  }
  std::set<Endpoint> endpoints;
  for (auto left = random.below(size / 4); left > 0; --left) endpoints.insert(random.any_endpoint());
  for (const Endpoint& remote : endpoints) {
    window.physical.push_back(
        {.local = {}, .remote = remote, .proto = 0, .counters = random_counters(random)});
  }
  window.underlay.rest = random_counters(random);
  window.totals.hook = window.accounted();
  return window;
}

/// What the lists of virtual, subnet and exit traffic ought to be.
std::array<std::vector<Flow>, 3> expected_lists(const model::Window& window, const Oracle& oracle,
                                                bool anonymise) {
  std::array<std::map<Key, Counters>, 3> rows;
  for (const auto* list : {&window.flows, &window.coarse}) {
    for (const Flow& flow : *list) {
      const TrafficClass which = oracle.class_of(flow);
      const Flow row = which == TrafficClass::kExit && anonymise ? oracle.anonymous(flow) : flow;
      rows[static_cast<std::size_t>(which)][key_of(row)] += flow.counters;
    }
  }
  std::array<std::vector<Flow>, 3> lists;
  for (std::size_t which = 0; which < lists.size(); ++which) {
    for (const auto& [key, counters] : rows[which]) {
      lists[which].push_back({.local = std::get<0>(key),
                              .remote = std::get<1>(key),
                              .proto = std::get<2>(key),
                              .counters = counters});
    }
  }
  return lists;
}

bool expected_unknown(const model::Window& window, const Tailnet& tailnet, const Oracle& oracle) {
  const auto end = [&](const Flow& flow) {
    return oracle.unknown(flow.local.address) || oracle.unknown(flow.remote.address);
  };
  return std::ranges::any_of(window.flows, end) || std::ranges::any_of(window.coarse, end) ||
         std::ranges::any_of(window.physical,
                             [&](const Flow& flow) { return !reference::node_behind(tailnet, flow.remote); });
}

void check_lists_add_up(const model::Window& window, const model::ClassifiedWindow& result) {
  Counters sum;
  for (const auto which : {TrafficClass::kVirtual, TrafficClass::kSubnet, TrafficClass::kExit}) {
    sum += model::sum(result.of(which));
  }
  REQUIRE(sum == model::sum(window.flows) + model::sum(window.coarse));
  REQUIRE(result.coarse == model::sum(window.coarse));
  REQUIRE(model::sum(result.of(TrafficClass::kPhysical)) + result.underlay.unmapped ==
          model::sum(window.physical) + window.underlay.rest);
  for (const auto& list : result.traffic) {
    REQUIRE(std::ranges::adjacent_find(list, [](const Flow& left, const Flow& right) {
              return !model::record_order(left, right);  // equal keys are not in order either
            }) == list.end());
  }
}

TEST_CASE("every flow of a random window is in the one class that the words of the rules give it", "[unit]") {
  model::RandomTailnet random(43);
  std::array<std::size_t, 4> met{};
  std::size_t unknown = 0;
  constexpr int kRuns = 3000;
  for (int run = 0; run < kRuns; ++run) {
    CAPTURE(run);
    const Tailnet tailnet = random.tailnet();
    const model::Window window = random_window(random);
    const bool option = random.one_in(2);
    const auto result = classify(window, model::NodeMap::make(tailnet), {.anonymise_exit = option});

    const Oracle oracle(tailnet);
    const auto expected = expected_lists(window, oracle, option && !tailnet.log_exit_flows);
    REQUIRE(result.of(TrafficClass::kVirtual) == expected[0]);
    REQUIRE(result.of(TrafficClass::kSubnet) == expected[1]);
    REQUIRE(result.of(TrafficClass::kExit) == expected[2]);
    REQUIRE(result.unknown_ends == expected_unknown(window, tailnet, oracle));
    check_lists_add_up(window, result);
    for (std::size_t which = 0; which < met.size(); ++which) met[which] += result.traffic[which].size();
    unknown += result.unknown_ends ? 1 : 0;
  }
  // The pools are such that everything is met often; else the test would prove little.
  CHECK(std::ranges::all_of(met, [](std::size_t rows) { return rows > 500; }));
  CHECK((unknown > kRuns / 20 && unknown < kRuns - kRuns / 20));
}

}  // namespace
}  // namespace flowtally::flow
