// Goal: what a drain costs per 1,000 entries, read and clear, beside looking up and deleting key by key.
//
// Method: the same entries, filled anew for each measurement, interleaved rounds, CPU time of the draining
// thread, median of the ratios within a round. The wait for RCU is waiting and not CPU: it is not in the
// figure.
#include <cerrno>
#include <cstring>

#include <bpf/bpf.h>
#include <fmt/format.h>

#include "bench/capture/bench.hpp"
#include "bench/capture/driver.hpp"

namespace flowtally::bench {
namespace {

struct Row {
  std::uint32_t entries;
  double batch_us;  ///< per 1,000 entries
  double key_us;
  double ratio;
};

void fill(Rig& rig, Driver& driver, std::uint32_t keys) {
  driver.set_keys(keys, 0);
  driver.run(rig.program->programs(capture::LinkLayer::kL3).value().tx, keys);
}

double drain_by_batches(Rig& rig) {
  model::Generation generation;
  const auto retired = rig.retire();
  const std::int64_t start = cpu_ns();
  rig.read(retired, generation);
  rig.reset(retired, generation);
  return static_cast<double>(cpu_ns() - start) / 1000;
}

/// The way of agents that iterate: next key, look up and delete, one system call each.
double drain_by_keys(Rig& rig) {
  const auto retired = rig.retire();
  const std::uint32_t slot = to_index(retired);
  std::uint32_t id = 0;
  FLOWTALLY_CHECK(bpf_map_lookup_elem(rig.program->map_fd("flows4"), &slot, &id) == 0);
  const base::UniqueFd map(bpf_map_get_fd_by_id(id));
  FLOWTALLY_CHECK(map.valid());
  std::vector<ft_counters> values(capture::possible_cpus().value());
  ft_flow4_key key{};
  ft_flow4_key next{};
  const std::int64_t start = cpu_ns();
  // The next key first, because from a deleted one the kernel starts over at the first bucket.
  bool more = bpf_map_get_next_key(map.get(), nullptr, &next) == 0;
  while (more) {
    key = next;
    more = bpf_map_get_next_key(map.get(), &key, &next) == 0;
    FLOWTALLY_CHECK(bpf_map_lookup_and_delete_elem(map.get(), &key, values.data()) == 0);
  }
  const double elapsed = static_cast<double>(cpu_ns() - start) / 1000;
  model::Generation generation;
  rig.read(retired, generation);
  rig.reset(retired, generation);
  return elapsed;
}

Row measure(Rig& rig, Driver& driver, std::uint32_t entries, int rounds) {
  for (int warm = 0; warm < 4; ++warm) {
    fill(rig, driver, entries);
    rig.drain();
  }
  std::vector<double> batch;
  std::vector<double> keys;
  std::vector<double> ratio;
  for (int round = 0; round < rounds; ++round) {
    fill(rig, driver, entries);
    batch.push_back(drain_by_batches(rig) * 1000 / entries);
    fill(rig, driver, entries);
    keys.push_back(drain_by_keys(rig) * 1000 / entries);
    ratio.push_back(keys.back() / batch.back());
  }
  return {entries, median(batch), median(keys), median(ratio)};
}

}  // namespace

int run(bool json) {
  Driver driver;
  std::vector<Row> rows;
  for (const std::uint32_t entries : {1024U, 16384U, 131072U}) {
    Rig rig(262144);
    rows.push_back(measure(rig, driver, entries, entries > 100'000 ? 5 : 11));
  }
  if (!json) {
    fmt::print("{:<12} {:>22} {:>22} {:>16}\n", "entries", "batches us/1,000", "key by key us/1,000",
               "key by key/ours");
  }
  for (const Row& row : rows) {
    fmt::print(fmt::runtime(json ? "{{\"bench\":\"drain\",\"entries\":{},\"batch_us_per_1000\":{:.1f},\"key_"
                                   "us_per_1000\":{:.1f},"
                                   "\"ratio\":{:.1f}}}\n"
                                 : "{:<12} {:>22.1f} {:>22.1f} {:>16.1f}\n"),
               row.entries, row.batch_us, row.key_us, row.ratio);
  }
  return 0;
}

}  // namespace flowtally::bench

int main(int argc, char** argv) {
  return flowtally::bench::run(argc > 1 && std::strcmp(argv[1], "--json") == 0);
}
