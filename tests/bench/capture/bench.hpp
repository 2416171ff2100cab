// This file is what the capture benchmarks share: CPU time, medians, and a rig of the production program.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <memory>
#include <vector>

#include "base/check.hpp"
#include "capture/generation_switch.hpp"
#include "capture/percpu_hash_table.hpp"
#include "capture/totals_maps.hpp"

namespace flowtally::bench {

/// CPU time of this thread in nanoseconds: what other processes do to the clock on the wall does not count.
inline std::int64_t cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

inline double median(std::vector<double> values) {
  FLOWTALLY_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// The production program with its table, drained by hand.
struct Rig {
  explicit Rig(std::uint32_t flows_max)
      : program(std::make_unique<capture::Program>(capture::Program::load({}).value())),
        table(capture::PercpuHashTable::create(*program, flows_max).value()),
        totals(capture::TotalsMaps::open(*program).value()),
        generation_switch(capture::GenerationSwitch::create(*program).value()) {}

  /// Retires the active generation and waits until it is quiet.
  capture::GenerationIndex retire() {
    const capture::GenerationIndex retired = generation_switch.flip();
    FLOWTALLY_CHECK(generation_switch.barrier().has_value());
    return retired;
  }
  void read(capture::GenerationIndex index, model::Generation& into) {
    FLOWTALLY_CHECK(totals.read(index, into).has_value());
    FLOWTALLY_CHECK(table->read(index, into).has_value());
  }
  void reset(capture::GenerationIndex index, const model::Generation& drained) {
    FLOWTALLY_CHECK(table->reset(index, drained).has_value());
    FLOWTALLY_CHECK(totals.reset(index, drained).has_value());
  }
  model::Generation drain() {
    model::Generation generation;
    const capture::GenerationIndex retired = retire();
    read(retired, generation);
    reset(retired, generation);
    return generation;
  }

  std::unique_ptr<capture::Program> program;
  std::unique_ptr<capture::FlowTable> table;
  capture::TotalsMaps totals;
  capture::GenerationSwitch generation_switch;
};

}  // namespace flowtally::bench
