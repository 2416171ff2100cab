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

model::Totals sum_totals(std::span<const ft_totals> cpus) noexcept {
  model::Totals sums{};
  for (const ft_totals& cpu : cpus) {
    add(sums.hook, cpu.hook);
    add(sums.unparsed, cpu.unparsed);
    add(sums.excluded, cpu.excluded);
    add(sums.rest, cpu.rest);
    add(sums.dropped, cpu.dropped);
    add(sums.dropped_late, cpu.dropped_late);
    add(sums.unparsed_packets, cpu.unparsed_packets);
    add(sums.excluded_packets, cpu.excluded_packets);
    add(sums.flow_insert_failures, cpu.flow_insert_failures);
    add(sums.coarse_insert_failures, cpu.coarse_insert_failures);
  }
  return sums;
}

std::vector<model::Entry<std::uint8_t>> sum_rest(std::span<const ft_rest> cpus) {
  std::vector<model::Entry<std::uint8_t>> rest;
  for (std::size_t proto = 0; proto < 256; ++proto) {
    model::Counters sum;
    for (const ft_rest& cpu : cpus) add(sum, cpu.by_proto[proto]);
    if (!sum.zero()) rest.push_back({.key = static_cast<std::uint8_t>(proto), .counters = sum});
  }
  return rest;
}

base::Result<TotalsMaps> TotalsMaps::open(const Program& program) {
  const auto cpus = possible_cpus();
  if (!cpus) return base::fail(cpus.error());
  return TotalsMaps(program.map_fd("totals"), program.map_fd("rest"), *cpus);
}

base::Status TotalsMaps::read(GenerationIndex index, model::Generation& into) const {
  const auto totals = read_cpus<ft_totals>(totals_fd_, index, cpus_, "totals");
  if (!totals) return base::fail(totals.error());
  into.totals = sum_totals(*totals);
  into.rest.clear();
  if (into.totals.rest.zero()) return {};

  const auto rest = read_cpus<ft_rest>(rest_fd_, index, cpus_, "rest");
  if (!rest) return base::fail(rest.error());
  into.rest = sum_rest(*rest);
  return {};
}

base::Status TotalsMaps::reset(GenerationIndex index, const model::Generation& drained) const {
  if (!drained.rest.empty()) {
    if (auto cleared = zero_cpus<ft_rest>(rest_fd_, index, cpus_, "rest"); !cleared) return cleared;
  }
  return zero_cpus<ft_totals>(totals_fd_, index, cpus_, "totals");
}

}  // namespace flowtally::capture
