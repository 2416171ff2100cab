// Goal: what one packet costs in the kernel, over an empty tc program, with 1, 1,024 and 131,072 flows, and
// when every packet is a new flow.
//
// Method: both programs run in the same process on the same packets in interleaved rounds; a row is the
// median over rounds of the ratio within a round, so that drift of the machine cancels. Nanoseconds are
// shown, the ratio is quoted.
#include <cstdio>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include "bench/capture/bench.hpp"
#include "bench/capture/driver.hpp"

namespace flowtally::bench {
namespace {

constexpr int kRounds = 15;
constexpr std::uint32_t kFlowsMax = 262144;

struct Row {
  std::string name;
  double empty_ns;
  double ours_ns;
  double ratio;
};

/// Fills and drains until both generations have room for `keys`.
void grow(Rig& rig, Driver& driver, int program_fd, std::uint32_t keys) {
  while (rig.table->capacity(capture::GenerationIndex::kFirst).flows4 < 2 * keys ||
         rig.table->capacity(capture::GenerationIndex::kSecond).flows4 < 2 * keys) {
    driver.set_keys(keys, 0);
    driver.run(program_fd, keys);
    rig.drain();
  }
}

Row known_flows(Rig& rig, Driver& driver, int program_fd, std::uint32_t keys) {
  if (2 * keys > capture::kFlowsMin) grow(rig, driver, program_fd, keys);
  driver.set_keys(keys, 0);
  driver.run(program_fd, keys);  // every flow has its entry before the clock runs
  std::vector<double> empty;
  std::vector<double> ours;
  std::vector<double> ratio;
  const std::uint32_t packets = std::max(keys * 2, 400'000U);
  for (int round = 0; round < kRounds; ++round) {
    empty.push_back(driver.run(driver.empty_fd(), packets));
    ours.push_back(driver.run(program_fd, packets));
    ratio.push_back(ours.back() / empty.back());
  }
  rig.drain();
  return {fmt::format("{} flows", keys), median(empty), median(ours), median(ratio)};
}

Row new_flows(Rig& rig, Driver& driver, int program_fd) {
  constexpr std::uint32_t kKeys = 131072;
  grow(rig, driver, program_fd, kKeys);
  rig.drain();
  rig.drain();
  std::vector<double> empty;
  std::vector<double> ours;
  std::vector<double> ratio;
  for (int round = 0; round < kRounds; ++round) {
    driver.set_keys(kKeys, 0);
    empty.push_back(driver.run(driver.empty_fd(), kKeys));
    driver.set_keys(kKeys, 0);
    ours.push_back(driver.run(program_fd, kKeys));
    ratio.push_back(ours.back() / empty.back());
    rig.drain();
  }
  return {"every packet a new flow", median(empty), median(ours), median(ratio)};
}

}  // namespace

int run(bool json) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(0, &only);
  ::pthread_setaffinity_np(::pthread_self(), sizeof(only), &only);
  Rig rig(kFlowsMax);
  Driver driver;
  const int program_fd = rig.program->programs(capture::LinkLayer::kL3).value().tx;
  const std::vector<Row> rows = {
      known_flows(rig, driver, program_fd, 1), known_flows(rig, driver, program_fd, 1024),
      known_flows(rig, driver, program_fd, 131072), new_flows(rig, driver, program_fd)};
  if (!json) fmt::print("{:<26} {:>10} {:>10} {:>12}\n", "per packet", "empty ns", "ours ns", "ours/empty");
  for (const Row& row : rows) {
    fmt::print(fmt::runtime(json ? "{{\"bench\":\"path\",\"row\":\"{}\",\"empty_ns\":{:.1f},\"ours_ns\":{:."
                                   "1f},\"ratio\":{:.2f}}}\n"
                                 : "{:<26} {:>10.1f} {:>10.1f} {:>12.2f}\n"),
               row.name, row.empty_ns, row.ours_ns, row.ratio);
  }
  return 0;
}

}  // namespace flowtally::bench

int main(int argc, char** argv) {
  return flowtally::bench::run(argc > 1 && std::strcmp(argv[1], "--json") == 0);
}
