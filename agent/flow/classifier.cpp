#include "flow/classifier.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
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

/// What a flow is, and which of its addresses an anonymised row may keep.
struct Judgement {
  TrafficClass which = TrafficClass::kVirtual;
  bool keeps_local = false;
  bool keeps_remote = false;
};

/// One state of the tailnet, asked about one flow after the other. Flows come sorted by their local end, so
/// what is known of it is looked up once for all of them.
class Judge {
 public:
  explicit Judge(const model::NodeMap& nodes) noexcept
      : nodes_(nodes), nobody_told_(nodes.tailnet().source == model::Tailnet::Source::kNone) {}

  /// Of a flow with both ends.
  Judgement of(const Flow& flow) noexcept {
    const End& local = local_end(flow.local.address);
    const End remote = end_of(flow.remote.address);
    return {.which = class_of(flow, local, remote), .keeps_local = local.kept, .keeps_remote = remote.kept};
  }

  /// Of a coarse flow, which knows the remote end only.
  Judgement of_remote(const Address& remote) noexcept {
    if (!remote.valid()) return {};
    const End end = end_of(remote);
    const auto which = nodes_.knows_routes() ? with_self(end, remote) : by_ranges(remote, remote);
    return {.which = which, .keeps_local = false, .keeps_remote = end.kept};
  }

  /// Some address of Tailscale's range was nobody's.
  [[nodiscard]] bool met_unknown() const noexcept { return met_unknown_; }

 private:
  struct End {
    bool node = false;
    bool self = false;
    bool kept = false;  ///< a node's, or, where no node is known, of Tailscale's range
  };

  End end_of(const Address& address) noexcept {
    if (const auto node = nodes_.node_at(address)) {
      return {.node = true, .self = *node == NodeIndex::kSelf, .kept = true};
    }
    if (!model::is_tailscale_address(address)) return {};
    if (!met_unknown_ && !is_no_node(address)) met_unknown_ = true;  // one is enough, and finding out is slow
    return {.node = false, .self = false, .kept = nobody_told_};
  }

  const End& local_end(const Address& address) noexcept {
    if (address != local_) {
      local_ = address;
      local_end_ = end_of(address);
      local_routed_.reset();
    }
    return local_end_;
  }

  /// The rules, in their order.
  [[nodiscard]] TrafficClass class_of(const Flow& flow, const End& local, const End& remote) noexcept {
    if (!nodes_.knows_routes()) return by_ranges(flow.local.address, flow.remote.address);
    if (local.self) return with_self(remote, flow.remote.address);
    if (!remote.node) return TrafficClass::kExit;
    // We are a router between the tailnet and something else, for a peer.
    if (!local_routed_) local_routed_ = nodes_.routed(flow.local.address);
    return *local_routed_ ? TrafficClass::kSubnet : TrafficClass::kExit;
  }

  /// Of Tailscale's range, but not a node's to our knowledge: 4via6, tailscaled's own, services that are
  /// hosted here or by a peer, to which they are routed.
  [[nodiscard]] bool is_no_node(const Address& address) const noexcept {
    const auto& services = nodes_.tailnet().service_addresses;
    return kVia.contains(address) || model::is_service_address(address) ||
           std::ranges::find(services, address) != services.end() || nodes_.route_owner(address).has_value();
  }

  [[nodiscard]] TrafficClass with_self(const End& remote, const Address& address) const noexcept {
    if (remote.node) return TrafficClass::kVirtual;
    return nodes_.routed(address) ? TrafficClass::kSubnet : TrafficClass::kExit;
  }

  [[nodiscard]] TrafficClass by_ranges(const Address& local, const Address& remote) const noexcept {
    bool outside = false;
    for (const Address& address : {local, remote}) {
      if (model::is_tailscale_address(address)) continue;
      outside = true;
      if (nobody_told_ ? is_private(address) : nodes_.routed(address)) return TrafficClass::kSubnet;
    }
    return outside ? TrafficClass::kExit : TrafficClass::kVirtual;
  }

  const model::NodeMap& nodes_;
  bool nobody_told_;
  Address local_{};  ///< of the flow before; none is none's
  End local_end_{};
  std::optional<bool> local_routed_{};  ///< looked up when it is asked for
  bool met_unknown_ = false;
};

/// Exit rows without protocol, ports and outside addresses; equal ones are one.
class AnonymousRows {
 public:
  void add(const Flow& flow, const Judgement& judgement) {
    rows_[{.local = judgement.keeps_local ? flow.local.address : Address{},
           .remote = judgement.keeps_remote ? flow.remote.address : Address{}}] += flow.counters;
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
  AnonymousRows anonymous;
  const auto put = [&](const Flow& flow, const Judgement& judgement) {
    if (judgement.which == TrafficClass::kExit && anonymise) {
      anonymous.add(flow, judgement);
    } else {
      classified.of(judgement.which).push_back(flow);
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
