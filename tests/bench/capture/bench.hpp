// This file is what the capture benchmarks share: CPU time, medians, and the rig of the BPF tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <vector>

#include "base/check.hpp"
#include "bpf/capture/rig.hpp"

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

using test::Rig;

}  // namespace flowtally::bench
