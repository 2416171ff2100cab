// This file is the first flow table: preallocated per-CPU hashes, one for IPv4 keys, one for IPv6, one for
// coarse keys, in each of two generations. It works on every kernel from 5.10 and is the reference for any
// faster table.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "capture/flow_table.hpp"
#include "capture/generation_maps.hpp"
#include "capture/percpu_map.hpp"
#include "capture/pins.hpp"
#include "capture/program.hpp"
#include "capture/sizing.hpp"

namespace flowtally::capture {

/// Busiest flows of a crowded window that get their entries in the next ones before anybody else can take
/// them.
inline constexpr std::size_t kSeedsMax = 512;
/// A flow with fewer packets in a window is not busy.
inline constexpr std::uint64_t kSeedPacketsMin = 8;

class PercpuHashTable final : public FlowTable {
 public:
  /// Makes both generations, empty, and puts them in place; those that are pinned in `pins` and in place stay
  /// as they are, with what they hold. `program` and `pins`, which may be null, must outlive the table.
  /// `flows_max`: the most entries of each family in one generation.
  [[nodiscard]] static base::Result<std::unique_ptr<PercpuHashTable>> create(
      const Program& program, std::uint32_t flows_max, const PinDirectory* pins = nullptr);

  [[nodiscard]] base::Status read(GenerationIndex index, model::Generation& into) override;
  [[nodiscard]] base::Status reset(GenerationIndex index, const model::Generation& drained) override;
  [[nodiscard]] Capacity capacity(GenerationIndex index) const override;

 private:
  /// One of the three kinds of map, in both generations.
  struct Kind {
    const char* name;  ///< the map's name in the kernel
    int outer_fd;      ///< the ARRAY_OF_MAPS that programs find it by
    std::uint32_t key_bytes;
    Sizing sizing;
    std::vector<PercpuMap> maps;  ///< by generation
    std::vector<std::byte>
        busy_before;  ///< keys of the busiest flows of the window before, if it was crowded
  };

  PercpuHashTable(const Program& program, std::uint32_t flows_max, std::uint32_t cpus,
                  const PinDirectory* pins);

  [[nodiscard]] base::Status put(Kind& kind, GenerationIndex index, std::uint32_t entries);
  template <class Key>
  [[nodiscard]] base::Status reset_kind(Kind& kind, GenerationIndex index,
                                        const std::vector<model::Entry<Key>>& entries, std::uint64_t refused,
                                        std::uint32_t& seeded);

  const Program& program_;
  const PinDirectory* pins_;
  std::uint32_t cpus_;
  Kind flows4_;
  Kind flows6_;
  Kind coarse_;
  PercpuMap::Scratch scratch_;
};

}  // namespace flowtally::capture
