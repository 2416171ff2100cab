// This file puts the inner maps of a generation where programs find them, and finds them again after a
// restart: a map-in-map with a slot for each generation, and a pin for each inner map.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "capture/flow_table.hpp"
#include "capture/percpu_map.hpp"
#include "capture/pins.hpp"

namespace flowtally::capture {

/// An ARRAY_OF_MAPS by which programs find a map of their generation.
struct GenerationMaps {
  const char* name = "";  ///< of the inner maps, in the kernel and as pins
  int outer_fd = -1;
};

/// Puts `map` in place of what is there, and pins it where there are `pins`. Killed at whatever instant, the
/// map that is in place has a pin.
[[nodiscard]] base::Status place_generation_map(const GenerationMaps& maps, GenerationIndex index,
                                                const PercpuMap& map, const PinDirectory* pins);

/// The map that is in place; nothing where there is none, or no `pins`.
[[nodiscard]] base::Result<std::optional<PercpuMap>> adopt_generation_map(const GenerationMaps& maps,
                                                                          GenerationIndex index,
                                                                          std::uint32_t cpus,
                                                                          const PinDirectory* pins);

}  // namespace flowtally::capture
