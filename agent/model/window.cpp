#include "model/window.hpp"

#include <tuple>

namespace flowtally::model {

Counters sum(const std::vector<Flow>& flows) noexcept {
  Counters total;
  for (const Flow& flow : flows) total += flow.counters;
  return total;
}

bool record_order(const Flow& left, const Flow& right) noexcept {
  return std::tie(left.local, left.remote, left.proto) < std::tie(right.local, right.remote, right.proto);
}

namespace {

template <std::size_t N>
void add(std::array<std::uint64_t, N>& sums, const std::array<std::uint64_t, N>& values) noexcept {
  for (std::size_t at = 0; at < N; ++at) sums[at] += values[at];
}

}  // namespace

Totals& Totals::operator+=(const Totals& other) noexcept {
  hook += other.hook;
  unparsed += other.unparsed;
  excluded += other.excluded;
  rest += other.rest;
  dropped += other.dropped;
  dropped_late += other.dropped_late;
  device_dropped += other.device_dropped;
  add(unparsed_packets, other.unparsed_packets);
  add(excluded_packets, other.excluded_packets);
  add(flow_insert_failures, other.flow_insert_failures);
  add(coarse_insert_failures, other.coarse_insert_failures);
  return *this;
}

Underlay& Underlay::operator+=(const Underlay& more) noexcept {
  counted = counted || more.counted;
  hook += more.hook;
  disco += more.disco;
  stun += more.stun;
  other += more.other;
  rest += more.rest;
  unmapped += more.unmapped;
  tcp += more.tcp;
  return *this;
}

Counters Window::accounted() const noexcept {
  return sum(flows) + sum(coarse) + totals.unparsed + totals.excluded + totals.dropped;
}

bool Window::conserved() const noexcept {
  const Counters below = sum(physical) + underlay.disco + underlay.stun + underlay.other + underlay.rest;
  return accounted() == totals.hook && below == underlay.hook;
}

}  // namespace flowtally::model
