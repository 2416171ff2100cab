#include "capture/percpu_map.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <bpf/bpf.h>
#include <fmt/format.h>

#include "flowtally/abi.h"

namespace flowtally::capture {
namespace {

constexpr std::uint32_t kCounterWords = sizeof(ft_counters) / sizeof(std::uint64_t);

/// `words`: of one CPU's value, which begins with ft_counters.
model::Counters sum_over_cpus(const std::uint64_t* values, std::uint32_t words, std::uint32_t cpus) noexcept {
  model::Counters sum;
  for (std::uint32_t cpu = 0; cpu < cpus; ++cpu, values += words) {
    sum.tx_packets += values[0];
    sum.tx_bytes += values[1];
    sum.rx_packets += values[2];
    sum.rx_bytes += values[3];
  }
  return sum;
}
static_assert(offsetof(ft_counters, tx_packets) == 0 && offsetof(ft_counters, tx_bytes) == 8 &&
              offsetof(ft_counters, rx_packets) == 16 && offsetof(ft_counters, rx_bytes) == 24);

}  // namespace

base::Result<PercpuMap> PercpuMap::create(const char* name, std::uint32_t key_bytes, std::uint32_t entries,
                                          std::uint32_t cpus) {
  base::UniqueFd fd(
      bpf_map_create(BPF_MAP_TYPE_PERCPU_HASH, name, key_bytes, sizeof(ft_counters), entries, nullptr));
  if (!fd.valid()) {
    return base::fail(
        base::Error::from_errno(errno, fmt::format("make a BPF map of {} entries for {} CPUs", entries, cpus))
            .advise("Lower --max-flows, or raise the memory limit of the cgroup (RLIMIT_MEMLOCK before Linux "
                    "5.11)"));
  }
  return PercpuMap(std::move(fd), key_bytes, kCounterWords, entries, cpus);
}

base::Result<PercpuMap> PercpuMap::adopt(base::UniqueFd fd, std::uint32_t cpus) {
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  if (bpf_map_get_info_by_fd(fd.get(), &info, &length) != 0) {
    return base::fail(base::Error::from_errno(errno, "ask what a pinned map is"));
  }
  if (info.type != BPF_MAP_TYPE_PERCPU_HASH || info.value_size < sizeof(ft_counters)) {
    return base::fail(base::Error(base::ErrorCode::kUnsupported,
                                  fmt::format("the pinned map {} is not one of counters", info.name)));
  }
  // bpf_percpu_hash_copy() in kernel/bpf/hashtab.c rounds each CPU's value up to 8 bytes.
  return PercpuMap(std::move(fd), info.key_size, (info.value_size + 7) / 8, info.max_entries, cpus);
}

base::Status PercpuMap::read(Scratch& scratch, Visitor& visitor) const {
  const std::size_t words = std::size_t{value_words_} * cpus_;
  const std::size_t value_bytes = words * sizeof(std::uint64_t);
  auto room = static_cast<std::uint32_t>(std::clamp<std::size_t>(
      kBatchBytesMax / value_bytes, 256, std::min(kBatchEntriesMax, std::max(capacity_, 256U))));
  const auto make_room = [&] {
    if (scratch.keys.size() < std::size_t{room} * key_bytes_)
      scratch.keys.resize(std::size_t{room} * key_bytes_);
    if (scratch.values.size() < room * words) scratch.values.resize(room * words);
  };
  make_room();
  std::uint64_t position = 0;  // opaque to us; the kernel writes 4 bytes for a hash
  bool first = true;

  for (;;) {
    std::uint32_t count = room;
    std::uint64_t next = 0;
    const int error = bpf_map_lookup_batch(fd_.get(), first ? nullptr : &position, &next, scratch.keys.data(),
                                           scratch.values.data(), &count, nullptr);
    // A batch never splits a bucket: at least the longest chain must fit, or the kernel says ENOSPC.
    if (error != 0 && errno == ENOSPC && room < capacity_) {
      room = std::min(room * 2, capacity_);
      make_room();
      continue;
    }
    if (error != 0 && errno != ENOENT) {
      return base::fail(
          base::Error::from_errno(errno, "read a generation from the kernel (BPF_MAP_LOOKUP_BATCH)"));
    }
    for (std::uint32_t entry = 0; entry < count; ++entry) {
      visitor.entry(scratch.keys.data() + std::size_t{entry} * key_bytes_,
                    sum_over_cpus(scratch.values.data() + entry * words, value_words_, cpus_));
    }
    if (error != 0) return {};  // ENOENT: the end of the map, with what came before it
    position = next;
    first = false;
  }
}

base::Status PercpuMap::erase(std::span<const std::byte> keys) const {
  while (!keys.empty()) {
    auto count = static_cast<std::uint32_t>(keys.size() / key_bytes_);
    const int error = bpf_map_delete_batch(fd_.get(), keys.data(), &count, nullptr);
    if (error == 0) return {};
    if (errno != ENOENT) {
      return base::fail(base::Error::from_errno(errno, "empty a generation (BPF_MAP_DELETE_BATCH)"));
    }
    keys =
        keys.subspan((std::size_t{count} + 1) * key_bytes_);  // `count` were deleted, the next was not there
  }
  return {};
}

base::Status PercpuMap::seed(std::span<const std::byte> keys) const {
  auto count = static_cast<std::uint32_t>(keys.size() / key_bytes_);
  if (count == 0) return {};
  const std::vector<ft_counters> zero(std::size_t{count} * cpus_);
  if (bpf_map_update_batch(fd_.get(), keys.data(), zero.data(), &count, nullptr) != 0) {
    return base::fail(base::Error::from_errno(errno, "give busy flows their entries (BPF_MAP_UPDATE_BATCH)"));
  }
  return {};
}

}  // namespace flowtally::capture
