// This file is the agent's side of how packets are counted: two generations, of which programs write one. The
// first table is a pair of per-CPU hashes (percpu_hash_table.hpp); another one is another subclass.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "model/generation.hpp"

namespace flowtally::capture {

/// Which of the two generations: 0 or 1.
enum class GenerationIndex : std::uint8_t { kFirst = 0, kSecond = 1 };

[[nodiscard]] constexpr GenerationIndex other(GenerationIndex index) noexcept {
  return index == GenerationIndex::kFirst ? GenerationIndex::kSecond : GenerationIndex::kFirst;
}
[[nodiscard]] constexpr std::uint32_t to_index(GenerationIndex index) noexcept {
  return static_cast<std::uint32_t>(index);
}

/// How many entries a generation has room for.
struct Capacity {
  std::uint32_t flows4 = 0;
  std::uint32_t flows6 = 0;
  std::uint32_t coarse = 0;
};

/// Flow and coarse entries of both generations. A generation that is read or reset must be retired: no
/// program writes it any more (generation_switch.hpp). Not thread-safe.
class FlowTable {
 public:
  FlowTable() = default;
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;
  virtual ~FlowTable() = default;

  /// Appends the entries of a retired generation to `into`, per-CPU values summed; changes nothing in the
  /// kernel, so it can be repeated after a failure (into empty vectors).
  [[nodiscard]] virtual base::Status read(GenerationIndex index, model::Generation& into) = 0;

  /// Makes a retired generation empty and of a size that fits the traffic. `drained` is what read() gave for
  /// it: its entries are what is deleted, its busiest flows may be given their places again. After a failure
  /// it can be repeated.
  [[nodiscard]] virtual base::Status reset(GenerationIndex index, const model::Generation& drained) = 0;

  [[nodiscard]] virtual Capacity capacity(GenerationIndex index) const = 0;
};

}  // namespace flowtally::capture
