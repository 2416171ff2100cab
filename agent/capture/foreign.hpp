// This file reads what an agent with another ABI version left in its maps, after our programs took the place
// of its own: at most two generations of each, which nothing writes any more. From ABI 3 on structures grow
// at their end only, so what both versions know is where it was (docs/formats/abi.md).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "capture/flow_table.hpp"
#include "capture/percpu_map.hpp"
#include "capture/pins.hpp"
#include "model/generation.hpp"

namespace flowtally::capture {

/// The generations of one directory of maps. Not thread-safe.
class ForeignGenerations {
 public:
  /// Of each directory of another version, and of those that were set aside, with anything to drain; what
  /// others began to make and never used is removed.
  [[nodiscard]] static base::Result<std::vector<ForeignGenerations>> open(const Pins& pins);

  [[nodiscard]] std::uint32_t abi_version() const noexcept { return control_.abi_version; }
  /// The programs that wrote these maps have been replaced: sets them aside, so that no agent of their
  /// version goes on in what is written down here, and says until when it was counted in the active
  /// generation.
  [[nodiscard]] base::Status close(const Pins& pins, base::Moment now);
  /// Number of the generation that read() gives. Only between close() and the last forget().
  [[nodiscard]] std::uint64_t epoch() const noexcept { return turns_.back().state.epoch; }
  /// The next generation, the older one first. Can be repeated until forget(). As epoch(), and after a
  /// barrier.
  [[nodiscard]] base::Result<model::Generation> read();
  /// What read() gave is safe elsewhere. False: that was the last one, and the maps are gone.
  bool forget() noexcept;

 private:
  struct Turn {
    GenerationIndex index{};
    ft_generation state{};
  };

  ForeignGenerations(PinDirectory maps, std::uint32_t cpus, const ft_control& control)
      : maps_(std::move(maps)), cpus_(cpus), control_(control) {}
  template <class Key>
  [[nodiscard]] base::Status read_table(const char* outer, const char* name, GenerationIndex index,
                                        std::vector<model::Entry<Key>>& into);
  [[nodiscard]] base::Status read_totals(GenerationIndex index, model::Generation& into) const;
  [[nodiscard]] base::Status read_underlay(GenerationIndex index, model::Generation& into);

  PinDirectory maps_;
  std::uint32_t cpus_;
  ft_control control_;
  std::vector<Turn> turns_;  ///< the next one last
  PercpuMap::Scratch scratch_;
};

}  // namespace flowtally::capture
