// This file makes random tailnets and classified windows for the property tests, from a fixed seed: the same
// ones on every run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/classified_window.hpp"
#include "unit/record/random_traffic.hpp"

namespace flowtally::record {

class RandomWindows {
 public:
  explicit RandomWindows(std::uint64_t seed) : random_(seed) {}

  RandomTraffic& traffic() { return random_; }

  /// Texts as they may come from outside: some empty, some long, with characters that must be escaped.
  std::string text() {
    static const std::vector<std::string> kPieces{"a", "b", "-", ".", "\"", "\\", "\n", "é", "\u2028", "日"};
    std::string text;
    for (auto left = random_.one_in(30) ? random_.below(400) : random_.below(12); left > 0; --left)
      text += kPieces[random_.below(kPieces.size())];
    return text;
  }
  model::Node node() {
    model::Node node{.id = "n" + std::to_string(random_.number(40))};
    node.id += text();
    node.name = text();
    node.os = text();
    if (random_.one_in(3)) {
      for (auto left = 1 + random_.below(4); left > 0; --left) node.tags.push_back("tag:" + text());
    } else {
      node.user = text();
    }
    for (auto left = random_.below(4); left > 0; --left)
      node.addresses.push_back(random_.one_in(2) ? random_.v4() : random_.v6());
    return node;
  }
  model::Tailnet tailnet(std::size_t peers) {
    model::Tailnet tailnet{.source = model::Tailnet::Source::kFile};
    tailnet.self = node();
    tailnet.self.addresses = {random_.v4(), random_.v6()};
    for (std::size_t peer = 0; peer < peers; ++peer) tailnet.peers.push_back(node());
    return tailnet;
  }

  /// Conserved, each list sorted with each key once; of the nodes of `tailnet`, with strangers among them.
  model::ClassifiedWindow window(const model::Tailnet& tailnet, std::size_t flows) {
    model::ClassifiedWindow window{.nodes = model::NodeMap::make(tailnet)};
    for (std::size_t left = flows; left > 0; --left) {
      const auto which = static_cast<model::TrafficClass>(random_.below(model::kTrafficClasses));
      window.of(which).push_back(flow(tailnet, which));
    }
    for (auto& list : window.traffic) {
      std::ranges::sort(list, model::record_order);
      const auto same = [](const auto& left, const auto& right) { return !model::record_order(left, right); };
      const auto [begin, end] = std::ranges::unique(list, same);
      list.erase(begin, end);
    }
    window.coarse = maybe();
    window.totals = totals(window);
    if (random_.one_in(2) || !window.of(model::TrafficClass::kPhysical).empty())
      window.underlay = underlay(window);
    window.epoch = 1 + random_.number(40);
    window.start = {.boot_ns = 5'000'000'000, .wall_ns = 1'700'000'000'000'000'000};
    const auto length = static_cast<std::int64_t>(random_.number(34));
    window.end = {.boot_ns = window.start.boot_ns + length, .wall_ns = window.start.wall_ns + length};
    return window;
  }

 private:
  model::Counters maybe() { return random_.one_in(2) ? random_.counters() : model::Counters{}; }

  model::Totals totals(const model::ClassifiedWindow& window) {
    model::Totals totals;
    totals.unparsed = maybe();
    totals.excluded = maybe();
    totals.dropped = maybe();
    totals.dropped_late = maybe();
    totals.device_dropped = random_.number(20);
    totals.hook = totals.unparsed + totals.excluded + totals.dropped;
    for (const auto which :
         {model::TrafficClass::kVirtual, model::TrafficClass::kSubnet, model::TrafficClass::kExit})
      totals.hook += model::sum(window.of(which));
    return totals;
  }
  model::Underlay underlay(const model::ClassifiedWindow& window) {
    model::Underlay underlay{.counted = true};
    underlay.disco = maybe();
    underlay.stun = maybe();
    underlay.other = maybe();
    underlay.rest = maybe();
    underlay.unmapped = underlay.rest + maybe();
    underlay.tcp = maybe();
    underlay.hook = underlay.disco + underlay.stun + underlay.other + underlay.unmapped +
                    model::sum(window.of(model::TrafficClass::kPhysical));
    return underlay;
  }
  model::Endpoint end(const model::Tailnet& tailnet) {
    const model::Endpoint stranger = random_.endpoint(random_.one_in(3));
    if (tailnet.peers.empty() || random_.one_in(3)) return stranger;
    const auto peer = random_.below(tailnet.peers.size() + 1);
    const model::Node& node = peer == 0 ? tailnet.self : tailnet.peers[peer - 1];
    if (node.addresses.empty()) return stranger;
    return {.address = node.addresses[random_.below(node.addresses.size())], .port = stranger.port};
  }
  model::Flow flow(const model::Tailnet& tailnet, model::TrafficClass which) {
    model::Flow flow = random_.flow();
    if (random_.one_in(4)) flow.local = end(tailnet);
    if (random_.one_in(2)) flow.local = {.address = tailnet.self.addresses[0], .port = flow.local.port};
    flow.remote = end(tailnet);
    if (which == model::TrafficClass::kExit && random_.one_in(2)) {  // anonymised
      flow.proto = 0;
      flow.local.port = 0;
      flow.remote = {};
    }
    if (which == model::TrafficClass::kPhysical) {
      flow.proto = 0;
      flow.local = {.address = end(tailnet).address};
    }
    return flow;
  }

  RandomTraffic random_;
};

}  // namespace flowtally::record
