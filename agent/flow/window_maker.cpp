#include "flow/window_maker.hpp"

#include <algorithm>

namespace flowtally::flow {
namespace {

model::Address address_of(const __u8 (&octets)[4]) { return model::Address::v4(octets); }
model::Address address_of(const __u8 (&octets)[16]) { return model::Address::v6(octets); }

/// A drop is taken off where its packet was counted. If that was in an earlier generation after all, this
/// one's sum is below zero, modulo 2^64: then it was no drop of this generation, but a late one.
void settle_drops(model::Counters& counters, model::Totals& totals) {
  const auto settle = [](std::uint64_t& count, std::uint64_t& dropped, std::uint64_t& late) {
    if (static_cast<std::int64_t>(count) >= 0) return;
    const std::uint64_t excess = std::uint64_t{0} - count;
    count = 0;
    dropped -= excess;
    late += excess;
  };
  settle(counters.tx_packets, totals.dropped.tx_packets, totals.dropped_late.tx_packets);
  settle(counters.tx_bytes, totals.dropped.tx_bytes, totals.dropped_late.tx_bytes);
}

template <class Key>
void append_flows(const std::vector<model::Entry<Key>>& entries, std::vector<model::Flow>& flows,
                  model::Totals& totals) {
  for (auto [key, counters] : entries) {
    settle_drops(counters, totals);
    if (counters.zero()) continue;
    flows.push_back({.local = {.address = address_of(key.local), .port = key.local_port},
                     .remote = {.address = address_of(key.remote), .port = key.remote_port},
                     .proto = key.proto,
                     .counters = counters});
  }
}

/// The remote address of a coarse or an endpoint key.
template <class Key>
model::Address remote_of(const Key& key) {
  if (key.family == 6) return model::Address::v6(key.remote);
  const std::uint8_t octets[4] = {key.remote[0], key.remote[1], key.remote[2], key.remote[3]};
  return model::Address::v4(octets);
}

}  // namespace

model::Window make_window(const model::Generation& generation) {
  model::Window window{.start = generation.start,
                       .end = generation.end,
                       .epoch = generation.epoch,
                       .flows = {},
                       .coarse = {},
                       .totals = generation.totals,
                       .physical = {},
                       .underlay = generation.underlay};
  settle_drops(window.totals.unparsed, window.totals);
  settle_drops(window.totals.excluded, window.totals);
  window.flows.reserve(generation.flows4.size() + generation.flows6.size());
  append_flows(generation.flows4, window.flows, window.totals);
  append_flows(generation.flows6, window.flows, window.totals);
  for (auto [key, counters] : generation.coarse) {
    settle_drops(counters, window.totals);
    if (counters.zero()) continue;
    window.coarse.push_back({.local = {},
                             .remote = {.address = remote_of(key), .port = 0},
                             .proto = key.proto,
                             .counters = counters});
  }
  window.totals.rest = {};
  for (auto [proto, counters] : generation.rest) {
    settle_drops(counters, window.totals);
    window.totals.rest += counters;
    if (counters.zero()) continue;
    window.coarse.push_back({.local = {}, .remote = {}, .proto = proto, .counters = counters});
  }
  for (const auto& [key, counters] : generation.physical) {
    if (counters.zero()) continue;
    window.physical.push_back({.local = {},
                               .remote = {.address = remote_of(key), .port = key.remote_port},
                               .proto = 0,
                               .counters = counters});
  }
  std::sort(window.flows.begin(), window.flows.end(), model::record_order);
  std::sort(window.coarse.begin(), window.coarse.end(), model::record_order);
  std::sort(window.physical.begin(), window.physical.end(), model::record_order);
  return window;
}

}  // namespace flowtally::flow
