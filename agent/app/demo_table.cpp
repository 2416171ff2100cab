#include "app/demo_table.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/color.h>
#include <fmt/format.h>

#include "record/text.hpp"

namespace flowtally::app {
namespace {

constexpr std::size_t kRowsPerKind = 3;

std::string protocol_name(std::uint8_t proto) {
  switch (proto) {
    case 1: return "icmp";
    case 6: return "tcp";
    case 17: return "udp";
    case 58: return "icmpv6";
    case 255: return "fragment";
    default: return fmt::format("{}", proto);
  }
}

std::string counters_cells(const model::Counters& counters) {
  return fmt::format("{:>9} {:>11} {:>9} {:>11}", counters.tx_packets, counters.tx_bytes, counters.rx_packets,
                     counters.rx_bytes);
}

std::string row_text(const std::string& name, const std::string& ends, const model::Counters& wire,
                     const model::Counters& recorded, bool colour) {
  const bool exact = wire == recorded;
  std::string verdict = exact ? "exact" : "DIFFERS";
  if (colour) {
    const auto paint = fmt::fg(exact ? fmt::terminal_color::green : fmt::terminal_color::red);
    verdict = fmt::format(paint, "{}", verdict);
  }
  return fmt::format("{:<9}{:<58} |{} |{} | {}\n", name, ends, counters_cells(wire), counters_cells(recorded),
                     verdict);
}

std::uint64_t bytes(const ComparedFlow& flow) {
  return flow.wire.counters.tx_bytes + flow.wire.counters.rx_bytes + flow.recorded.tx_bytes +
         flow.recorded.rx_bytes;
}

/// What kind of traffic a flow is: protocol, IP version and the smaller port, which is the service's.
using Kind = std::tuple<std::uint8_t, model::Address::Family, std::uint16_t>;

Kind kind_of(const model::Flow& flow) {
  return {flow.proto, flow.remote.address.family, std::min(flow.local.port, flow.remote.port)};
}

/// Puts flows in the order in which they are shown: those that differ; then of each kind of traffic the
/// largest few, so that a table that is cut shows something of everything; then the rest.
void order_for_people(std::vector<ComparedFlow>& flows) {
  std::sort(flows.begin(), flows.end(), [](const auto& one, const auto& two) {
    if (one.exact() != two.exact()) return !one.exact();
    return bytes(one) != bytes(two) ? bytes(one) > bytes(two) : model::record_order(one.wire, two.wire);
  });
  std::map<Kind, std::size_t> seen;
  std::vector<ComparedFlow> first;
  std::vector<ComparedFlow> rest;
  for (const ComparedFlow& flow : flows) {
    const bool early = !flow.exact() || ++seen[kind_of(flow.wire)] <= kRowsPerKind;
    (early ? first : rest).push_back(flow);
  }
  first.insert(first.end(), rest.begin(), rest.end());
  flows = std::move(first);
}

}  // namespace

Comparison compare(const std::vector<model::Flow>& wire, const model::Counters& wire_all,
                   const std::vector<model::Flow>& recorded, const model::Counters& recorded_all) {
  Comparison comparison{.flows = {}, .wire_all = wire_all, .recorded_all = recorded_all};
  auto left = wire.begin();
  auto right = recorded.begin();
  while (left != wire.end() || right != recorded.end()) {
    const bool take_left =
        right == recorded.end() || (left != wire.end() && !model::record_order(*right, *left));
    const bool take_right =
        left == wire.end() || (right != recorded.end() && !model::record_order(*left, *right));
    ComparedFlow flow{.wire = take_left ? *left : *right,
                      .recorded = take_right ? right->counters : model::Counters{}};
    if (!take_left) flow.wire.counters = {};
    comparison.flows.push_back(flow);
    if (!flow.exact()) ++comparison.differing;
    if (take_left) ++left;
    if (take_right) ++right;
  }
  order_for_people(comparison.flows);
  return comparison;
}

std::string table_text(const Comparison& comparison, bool colour) {
  std::string text = fmt::format("{:<67} |{:^43} |{:^43} |\n", "", "sent, as the wire carried it",
                                 "counted, as the records say");
  text += fmt::format("{:<67} |{:>9} {:>11} {:>9} {:>11} |{:>9} {:>11} {:>9} {:>11} |\n", "flow", "tx pkts",
                      "tx bytes", "rx pkts", "rx bytes", "tx pkts", "tx bytes", "rx pkts", "rx bytes");
  const std::size_t shown = std::min(comparison.flows.size(), std::max(kTableRowsMax, comparison.differing));
  for (std::size_t at = 0; at < shown; ++at) {
    const ComparedFlow& flow = comparison.flows[at];
    text +=
        row_text(protocol_name(flow.wire.proto),
                 fmt::format("{} {}", record::to_text(flow.wire.local), record::to_text(flow.wire.remote)),
                 flow.wire.counters, flow.recorded, colour);
  }
  if (shown < comparison.flows.size()) {
    model::Counters wire;
    model::Counters recorded;
    for (std::size_t at = shown; at < comparison.flows.size(); ++at) {
      wire += comparison.flows[at].wire.counters;
      recorded += comparison.flows[at].recorded;
    }
    text += row_text("", fmt::format("{} more flows, each exact", comparison.flows.size() - shown), wire,
                     recorded, colour);
  }
  text += row_text("all", fmt::format("{} flows, and what is left out of them", comparison.flows.size()),
                   comparison.wire_all, comparison.recorded_all, colour);
  return text;
}

}  // namespace flowtally::app
