// This file reads and clears what is not an entry of the flow table: the hook totals of a generation and the
// `rest`.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "capture/flow_table.hpp"
#include "capture/program.hpp"
#include "model/generation.hpp"

namespace flowtally::capture {

/// Sums over all CPUs.
[[nodiscard]] model::Totals sum_totals(std::span<const ft_totals> cpus) noexcept;
/// Those that are not zero.
[[nodiscard]] std::vector<model::Entry<std::uint8_t>> sum_rest(std::span<const ft_rest> cpus);

/// The arrays `totals` and `rest` of a program, which must outlive it. Same rule as FlowTable: retired
/// generations only.
class TotalsMaps {
 public:
  [[nodiscard]] static base::Result<TotalsMaps> open(const Program& program);

  /// Puts the sums over all CPUs into `into.totals` and `into.rest`. Changes nothing in the kernel.
  [[nodiscard]] base::Status read(GenerationIndex index, model::Generation& into) const;
  /// Zeroes both; `rest` only where `drained` has any.
  [[nodiscard]] base::Status reset(GenerationIndex index, const model::Generation& drained) const;

 private:
  TotalsMaps(int totals_fd, int rest_fd, std::uint32_t cpus)
      : totals_fd_(totals_fd), rest_fd_(rest_fd), cpus_(cpus) {}

  int totals_fd_;
  int rest_fd_;
  std::uint32_t cpus_;
};

}  // namespace flowtally::capture
