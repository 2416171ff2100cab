// This file reads and empties one per-CPU hash map by batches: the system calls of a drain are here and
// nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "flowtally/abi.h"
#include "model/window.hpp"

namespace flowtally::capture {

/// Entries of one batch call at the most: keeps its buffers near 1 MiB at 2 CPUs and bounded at 1,024.
inline constexpr std::uint32_t kBatchEntriesMax = 8192;
/// Bytes of values in one batch call at the most, where that is fewer entries.
inline constexpr std::size_t kBatchBytesMax = std::size_t{1} << 20U;

/// A PERCPU_HASH with keys of `key_bytes` and ft_counters as values. Not thread-safe.
class PercpuMap {
 public:
  /// Makes a map of `entries`, preallocated. kResource where the kernel has no memory for it.
  [[nodiscard]] static base::Result<PercpuMap> create(const char* name, std::uint32_t key_bytes,
                                                      std::uint32_t entries, std::uint32_t cpus);

  /// A map that is there already, made by this or another version's create(). kUnsupported where its values
  /// do not begin with ft_counters.
  [[nodiscard]] static base::Result<PercpuMap> adopt(base::UniqueFd fd, std::uint32_t cpus);

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] std::uint32_t key_bytes() const noexcept { return key_bytes_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

  /// Called once per entry: the key and the sum of its values over all CPUs.
  class Visitor {
   public:
    virtual void entry(const std::byte* key, const model::Counters& sum) = 0;

   protected:
    ~Visitor() = default;
  };

  /// What a batch is read into. Kept from drain to drain: to get fresh pages costs as much as to fill them.
  struct Scratch {
    std::vector<std::byte> keys;
    std::vector<std::uint64_t> values;
  };

  /// Reads every entry (BPF_MAP_LOOKUP_BATCH). Exact only while no program writes.
  [[nodiscard]] base::Status read(Scratch& scratch, Visitor& visitor) const;
  /// Deletes the entries of `keys` (key_bytes each; BPF_MAP_DELETE_BATCH). Keys that are not there are passed
  /// over.
  [[nodiscard]] base::Status erase(std::span<const std::byte> keys) const;
  /// Gives `keys` entries with zero counters.
  [[nodiscard]] base::Status seed(std::span<const std::byte> keys) const;

 private:
  PercpuMap(base::UniqueFd fd, std::uint32_t key_bytes, std::uint32_t value_words, std::uint32_t capacity,
            std::uint32_t cpus)
      : fd_(std::move(fd)),
        key_bytes_(key_bytes),
        value_words_(value_words),
        capacity_(capacity),
        cpus_(cpus) {}

  base::UniqueFd fd_;
  std::uint32_t key_bytes_;
  std::uint32_t
      value_words_;  ///< of 8 bytes, of one CPU; a later version's value may be longer than ft_counters
  std::uint32_t capacity_;
  std::uint32_t cpus_;
};

}  // namespace flowtally::capture
