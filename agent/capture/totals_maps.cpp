#include "capture/totals_maps.hpp"

#include <utility>

#include "capture/percpu_array.hpp"

namespace flowtally::capture {
namespace {

template <std::size_t N>
void add(std::array<std::uint64_t, N>& sums, const __u64 (&values)[N]) noexcept {
  for (std::size_t at = 0; at < N; ++at) sums[at] += values[at];
}

}  // namespace

base::Result<TotalsMaps> TotalsMaps::open(const Program& program) {
  const auto cpus = possible_cpus();
  if (!cpus) return base::fail(cpus.error());
  return TotalsMaps(program.map_fd("totals"), program.map_fd("rest"), *cpus);
}

base::Status TotalsMaps::read(GenerationIndex index, model::Generation& into) const {
  const auto totals = read_cpus<ft_totals>(totals_fd_, index, cpus_, "totals");
  if (!totals) return base::fail(totals.error());
  into.totals = {};
  for (const ft_totals& cpu : *totals) {
    add(into.totals.hook, cpu.hook);
    add(into.totals.unparsed, cpu.unparsed);
    add(into.totals.excluded, cpu.excluded);
    add(into.totals.rest, cpu.rest);
    add(into.totals.dropped, cpu.dropped);
    add(into.totals.dropped_late, cpu.dropped_late);
    add(into.totals.unparsed_packets, cpu.unparsed_packets);
    add(into.totals.excluded_packets, cpu.excluded_packets);
    add(into.totals.flow_insert_failures, cpu.flow_insert_failures);
    add(into.totals.coarse_insert_failures, cpu.coarse_insert_failures);
  }
  into.rest.clear();
  if (into.totals.rest.zero()) return {};

  const auto rest = read_cpus<ft_rest>(rest_fd_, index, cpus_, "rest");
  if (!rest) return base::fail(rest.error());
  for (std::size_t proto = 0; proto < 256; ++proto) {
    model::Counters sum;
    for (const ft_rest& cpu : *rest) add(sum, cpu.by_proto[proto]);
    if (!sum.zero()) into.rest.push_back({.key = static_cast<std::uint8_t>(proto), .counters = sum});
  }
  return {};
}

base::Status TotalsMaps::reset(GenerationIndex index, const model::Generation& drained) const {
  if (!drained.rest.empty()) {
    if (auto cleared = zero_cpus<ft_rest>(rest_fd_, index, cpus_, "rest"); !cleared) return cleared;
  }
  return zero_cpus<ft_totals>(totals_fd_, index, cpus_, "totals");
}

}  // namespace flowtally::capture
