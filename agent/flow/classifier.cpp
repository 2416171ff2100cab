#include "flow/classifier.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "model/tailnet.hpp"

namespace flowtally::flow {
namespace {

using model::Address;
using model::Flow;
using model::NodeIndex;
using model::TrafficClass;

/// 4via6: addresses that stand for IPv4 subnets behind subnet routers (net/tsaddr.TailscaleViaRange).
const model::Prefix kVia = model::Prefix::of(
    Address::v6({0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0x0b, 0x1a, 0, 0, 0, 0, 0, 0, 0, 0}), 64);

const std::array<model::Prefix, 6> kPrivate = {
    model::Prefix::of(Address::v4({10, 0, 0, 0}), 8),
    model::Prefix::of(Address::v4({172, 16, 0, 0}), 12),
    model::Prefix::of(Address::v4({192, 168, 0, 0}), 16),
    model::Prefix::of(Address::v4({169, 254, 0, 0}), 16),
    model::Prefix::of(Address::v6({0xfc, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 7),
    model::Prefix::of(Address::v6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 10)};

bool is_private(const Address& address) noexcept {
  return std::ranges::any_of(kPrivate, [&](const model::Prefix& prefix) { return prefix.contains(address); });
}

/// One state of the tailnet, asked about one end after the other. Flows come sorted by their local end, so
/// its node is looked up once for all of them.
class Judge {
 public:
  explicit Judge(const model::NodeMap& nodes) noexcept : nodes_(nodes) {}

  /// The class of a flow with both ends.
  TrafficClass of(const Flow& flow) noexcept {
    const End local = local_end(flow.local.address);
    const End remote = end_of(flow.remote.address);
    if (!nodes_.knows_routes()) return by_ranges(flow.local.address, flow.remote.address);
    if (local.self) return with_self(remote, flow.remote.address);
    // We are a router between the tailnet and something else: for a peer, or between two sites.
    if (remote.node && routed(flow.local.address)) return TrafficClass::kSubnet;
    return TrafficClass::kExit;
  }

  /// The class of a coarse flow, which knows the remote end only.
  TrafficClass of_remote(const Address& remote) noexcept {
    if (!remote.valid()) return TrafficClass::kVirtual;
    const End end = end_of(remote);
    if (nodes_.knows_routes()) return with_self(end, remote);
    return model::is_tailscale_address(remote) ? TrafficClass::kVirtual : by_ranges(remote, remote);
  }

  /// Whether an anonymised row may keep the address: that of a node, or, where no node is known, one of
  /// Tailscale's range.
  [[nodiscard]] bool keeps(const Address& address) const noexcept {
    if (nodes_.node_at(address)) return true;
    return nodes_.tailnet().source == model::Tailnet::Source::kNone && model::is_tailscale_address(address);
  }

  /// Some address of Tailscale's range was nobody's.
  [[nodiscard]] bool met_unknown() const noexcept { return met_unknown_; }

 private:
  struct End {
    bool node = false;
    bool self = false;
  };

  End end_of(const Address& address) noexcept {
    if (const auto node = nodes_.node_at(address)) {
      return {.node = true, .self = *node == NodeIndex::kSelf};
    }
    if (model::is_tailscale_address(address) && !is_no_node(address)) met_unknown_ = true;
    return {};
  }

  End local_end(const Address& address) noexcept {
    if (address != local_ || !local_known_) {
      local_ = address;
      local_end_ = end_of(address);
      local_known_ = true;
    }
    return local_end_;
  }

  /// Of Tailscale's range, but not a node's to our knowledge: 4via6, tailscaled's own, services that are
  /// hosted here or by a peer, to which they are routed.
  [[nodiscard]] bool is_no_node(const Address& address) const noexcept {
    const auto& services = nodes_.tailnet().service_addresses;
    return kVia.contains(address) || model::is_service_address(address) ||
           std::ranges::find(services, address) != services.end() || nodes_.route_owner(address).has_value();
  }

  [[nodiscard]] bool routed(const Address& address) const noexcept { return nodes_.routed(address); }

  [[nodiscard]] TrafficClass with_self(const End& remote, const Address& address) const noexcept {
    if (remote.node) return TrafficClass::kVirtual;
    return routed(address) ? TrafficClass::kSubnet : TrafficClass::kExit;
  }

  [[nodiscard]] TrafficClass by_ranges(const Address& local, const Address& remote) const noexcept {
    const bool nobody_told = nodes_.tailnet().source == model::Tailnet::Source::kNone;
    bool outside = false;
    for (const Address& address : {local, remote}) {
      if (model::is_tailscale_address(address)) continue;
      outside = true;
      if (nobody_told ? is_private(address) : routed(address)) return TrafficClass::kSubnet;
    }
    return outside ? TrafficClass::kExit : TrafficClass::kVirtual;
  }

  const model::NodeMap& nodes_;
  Address local_{};
  End local_end_{};
  bool local_known_ = false;
  bool met_unknown_ = false;
};

/// Exit rows without protocol, ports and outside addresses; equal ones are one.
class AnonymousRows {
 public:
  explicit AnonymousRows(const Judge& judge) noexcept : judge_(judge) {}

  void add(const Flow& flow) {
    const Ends ends{.local = kept(flow.local.address), .remote = kept(flow.remote.address)};
    rows_[ends] += flow.counters;
  }
  /// In record order.
  [[nodiscard]] std::vector<Flow> take() const {
    std::vector<Flow> flows;
    flows.reserve(rows_.size());
    for (const auto& [ends, counters] : rows_) {
      flows.push_back({.local = {.address = ends.local, .port = 0},
                       .remote = {.address = ends.remote, .port = 0},
                       .proto = 0,
                       .counters = counters});
    }
    std::sort(flows.begin(), flows.end(), model::record_order);
    return flows;
  }

 private:
  struct Ends {
    Address local;
    Address remote;
    friend bool operator==(const Ends&, const Ends&) = default;
  };
  struct Hash {
    std::size_t operator()(const Ends& ends) const noexcept {
      std::uint64_t mixed = 0;
      for (const Address* address : {&ends.local, &ends.remote}) {
        std::array<std::uint64_t, 2> halves{};
        std::memcpy(halves.data(), address->bytes.data(), sizeof(halves));
        mixed = (mixed ^ halves[0]) * 0x9E37'79B9'7F4A'7C15U;
        mixed = (mixed ^ halves[1] ^ (mixed >> 32U)) * 0xD6E8'FEB8'6659'FD93U;
      }
      return static_cast<std::size_t>(mixed ^ (mixed >> 32U));
    }
  };

  [[nodiscard]] Address kept(const Address& address) const noexcept {
    return judge_.keeps(address) ? address : Address{};
  }

  const Judge& judge_;
  std::unordered_map<Ends, model::Counters, Hash> rows_;
};

/// Physical rows: the peer behind each endpoint. What is behind none is a sum.
void add_physical(const model::Window& window, model::ClassifiedWindow& into) {
  into.underlay.unmapped = window.underlay.rest;
  std::vector<Flow>& rows = into.of(TrafficClass::kPhysical);
  for (const Flow& flow : window.physical) {
    const auto peer = into.nodes->node_behind(flow.remote);
    if (!peer) into.unknown_ends = true;
    if (!peer || into.nodes->node(*peer).addresses.empty()) {
      into.underlay.unmapped += flow.counters;
      continue;
    }
    rows.push_back({.local = {.address = into.nodes->node(*peer).addresses.front(), .port = 0},
                    .remote = flow.remote,
                    .proto = 0,
                    .counters = flow.counters});
  }
  std::sort(rows.begin(), rows.end(), model::record_order);
}

}  // namespace

model::ClassifiedWindow classify(const model::Window& window, std::shared_ptr<const model::NodeMap> nodes,
                                 const ClassifyOptions& options) {
  model::ClassifiedWindow classified{.start = window.start,
                                     .end = window.end,
                                     .epoch = window.epoch,
                                     .traffic = {},
                                     .coarse = model::sum(window.coarse),
                                     .totals = window.totals,
                                     .underlay = window.underlay,
                                     .unknown_ends = false,
                                     .nodes = std::move(nodes)};
  const bool anonymise = options.anonymise_exit && !classified.nodes->tailnet().log_exit_flows;
  Judge judge(*classified.nodes);
  AnonymousRows anonymous(judge);
  const auto put = [&](const Flow& flow, TrafficClass which) {
    if (which == TrafficClass::kExit && anonymise) {
      anonymous.add(flow);
    } else {
      classified.of(which).push_back(flow);
    }
  };
  // Both are in record order, and an end that is not known comes before all others: so are the lists.
  for (const Flow& flow : window.coarse) put(flow, judge.of_remote(flow.remote.address));
  for (const Flow& flow : window.flows) put(flow, judge.of(flow));
  if (anonymise) classified.of(TrafficClass::kExit) = anonymous.take();
  classified.unknown_ends = judge.met_unknown();
  add_physical(window, classified);
  return classified;
}

}  // namespace flowtally::flow
