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

Counters Window::accounted() const noexcept {
  return sum(flows) + sum(coarse) + totals.unparsed + totals.excluded;
}

bool Window::conserved() const noexcept { return accounted() == totals.hook; }

}  // namespace flowtally::model
