#include "flow/window_maker.hpp"

#include <algorithm>

namespace flowtally::flow {
namespace {

model::Address address_of(const __u8 (&octets)[4]) { return model::Address::v4(octets); }
model::Address address_of(const __u8 (&octets)[16]) { return model::Address::v6(octets); }

template <class Key>
void append_flows(const std::vector<model::Entry<Key>>& entries, std::vector<model::Flow>& flows) {
  for (const auto& [key, counters] : entries) {
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
  window.flows.reserve(generation.flows4.size() + generation.flows6.size());
  append_flows(generation.flows4, window.flows);
  append_flows(generation.flows6, window.flows);
  for (const auto& [key, counters] : generation.coarse) {
    if (counters.zero()) continue;
    window.coarse.push_back({.local = {},
                             .remote = {.address = remote_of(key), .port = 0},
                             .proto = key.proto,
                             .counters = counters});
  }
  for (const auto& [proto, counters] : generation.rest) {
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
