#include "capture/percpu_hash_table.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include <bpf/bpf.h>
#include <fmt/format.h>

#include "capture/percpu_entries.hpp"

namespace flowtally::capture {
namespace {

std::uint64_t packets(const model::Counters& counters) { return counters.tx_packets + counters.rx_packets; }

/// Keys of the busiest entries, one after the other: at most kSeedsMax and an eighth of the capacity, each
/// with at least kSeedPacketsMin packets.
template <class Key>
std::vector<std::byte> busiest(const std::vector<model::Entry<Key>>& entries, std::uint32_t capacity) {
  std::vector<const model::Entry<Key>*> order;
  for (const auto& entry : entries) {
    if (packets(entry.counters) >= kSeedPacketsMin) order.push_back(&entry);
  }
  const std::size_t count = std::min({kSeedsMax, std::size_t{capacity} / 8, order.size()});
  std::nth_element(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
      [](const auto* left, const auto* right) { return packets(left->counters) > packets(right->counters); });
  std::vector<std::byte> keys(count * sizeof(Key));
  for (std::size_t at = 0; at < count; ++at)
    std::memcpy(&keys[at * sizeof(Key)], &order[at]->key, sizeof(Key));
  return keys;
}

}  // namespace

PercpuHashTable::PercpuHashTable(const Program& program, std::uint32_t flows_max, std::uint32_t cpus,
                                 const PinDirectory* pins)
    : program_(program),
      pins_(pins),
      cpus_(cpus),
      flows4_{"ft_flows4", program.map_fd("flows4"), sizeof(ft_flow4_key), Sizing(flows_max), {}, {}},
      flows6_{"ft_flows6", program.map_fd("flows6"), sizeof(ft_flow6_key), Sizing(flows_max), {}, {}},
      coarse_{"ft_coarse", program.map_fd("coarse"), sizeof(ft_coarse_key), Sizing(kCoarseEntries), {}, {}} {}

base::Result<std::unique_ptr<PercpuHashTable>> PercpuHashTable::create(const Program& program,
                                                                       std::uint32_t flows_max,
                                                                       const PinDirectory* pins) {
  const auto cpus = possible_cpus();
  if (!cpus) return base::fail(cpus.error());
  std::unique_ptr<PercpuHashTable> table(new PercpuHashTable(program, flows_max, *cpus, pins));
  for (const GenerationIndex index : {GenerationIndex::kFirst, GenerationIndex::kSecond}) {
    for (Kind* kind : {&table->flows4_, &table->flows6_, &table->coarse_}) {
      auto there = adopt_generation_map({.name = kind->name, .outer_fd = kind->outer_fd}, index, *cpus, pins);
      if (!there) return base::fail(std::move(there.error()));
      if (*there) {
        kind->sizing.start_from((*there)->capacity());
        kind->maps.push_back(std::move(**there));
        continue;
      }
      const std::uint32_t entries = kind == &table->coarse_ ? kCoarseEntries : kind->sizing.capacity();
      if (auto put = table->put(*kind, index, entries); !put) return base::fail(std::move(put.error()));
    }
    ft_generation& state = program.control().generation[to_index(index)];
    state.pressure4 = pressure_mark(table->flows4_.maps[to_index(index)].capacity());
    state.pressure6 = pressure_mark(table->flows6_.maps[to_index(index)].capacity());
  }
  return table;
}

base::Status PercpuHashTable::put(Kind& kind, GenerationIndex index, std::uint32_t entries) {
  auto map = PercpuMap::create(kind.name, kind.key_bytes, entries, cpus_);
  if (!map) return base::fail(std::move(map.error()));
  const std::uint32_t slot = to_index(index);
  auto placed = place_generation_map({.name = kind.name, .outer_fd = kind.outer_fd}, index, *map, pins_);
  if (!placed) return placed;
  if (kind.maps.size() <= slot) {
    kind.maps.push_back(std::move(*map));
  } else {
    kind.maps[slot] = std::move(*map);
  }
  return {};
}

base::Status PercpuHashTable::read(GenerationIndex index, model::Generation& into) {
  const std::uint32_t slot = to_index(index);
  const ft_generation& state = program_.control().generation[slot];
  if (auto read = read_entries(flows4_.maps[slot], scratch_, state.flows4, into.flows4); !read) return read;
  if (auto read = read_entries(flows6_.maps[slot], scratch_, state.flows6, into.flows6); !read) return read;
  return read_entries(coarse_.maps[slot], scratch_, 0, into.coarse);
}

template <class Key>
base::Status PercpuHashTable::reset_kind(Kind& kind, GenerationIndex index,
                                         const std::vector<model::Entry<Key>>& entries, std::uint64_t refused,
                                         std::uint32_t& seeded) {
  const PercpuMap& map = kind.maps[to_index(index)];
  const auto used = static_cast<std::uint32_t>(entries.size());
  if (used < map.capacity()) refused = 0;  // the other family's table was full, not this one
  const bool crowded = refused > 0 || used >= pressure_mark(map.capacity());
  const std::uint32_t wanted = kind.sizing.after_window(used, refused);

  // A new map costs more than emptying the old one, so it is made only when the size is to change. Where the
  // kernel has no memory for a larger one, the old one goes on: fewer flows, the rest coarse, and the next
  // window tries again.
  const bool resized = wanted != map.capacity() && put(kind, index, wanted).has_value();
  if (!resized) {
    if (auto erased = erase_entries(map, entries); !erased) return erased;
  }
  // Places are kept for the busy flows of this window and of the one before: generations take turns, and a
  // busy flow that found no place in one of them is known from the other.
  const PercpuMap& next = kind.maps[to_index(index)];
  std::vector<std::byte> busy = crowded ? busiest(entries, next.capacity()) : std::vector<std::byte>{};
  std::vector<std::byte> seeds = busy;
  seeds.insert(seeds.end(), kind.busy_before.begin(), kind.busy_before.end());
  kind.busy_before = std::move(busy);
  seeded = next.seed(seeds) ? static_cast<std::uint32_t>(seeds.size() / sizeof(Key)) : 0;
  return {};
}

base::Status PercpuHashTable::reset(GenerationIndex index, const model::Generation& drained) {
  const std::uint32_t slot = to_index(index);
  ft_generation& state = program_.control().generation[slot];
  const std::uint64_t refused = drained.totals.flow_insert_failures[FT_INSERT_FULL];
  std::uint32_t seeded4 = 0;
  std::uint32_t seeded6 = 0;
  if (auto done = reset_kind(flows4_, index, drained.flows4, refused, seeded4); !done) return done;
  if (auto done = reset_kind(flows6_, index, drained.flows6, refused, seeded6); !done) return done;

  if (auto erased = erase_entries(coarse_.maps[slot], drained.coarse); !erased) return erased;

  state.flows4 = seeded4;
  state.flows6 = seeded6;
  state.pressure4 = pressure_mark(flows4_.maps[slot].capacity());
  state.pressure6 = pressure_mark(flows6_.maps[slot].capacity());
  state.lost_signals = 0;
  std::atomic_ref(state.signalled).store(0, std::memory_order_release);
  return {};
}

Capacity PercpuHashTable::capacity(GenerationIndex index) const {
  const std::uint32_t slot = to_index(index);
  return {.flows4 = flows4_.maps[slot].capacity(),
          .flows6 = flows6_.maps[slot].capacity(),
          .coarse = coarse_.maps[slot].capacity()};
}

}  // namespace flowtally::capture
