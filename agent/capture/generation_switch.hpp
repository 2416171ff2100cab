// This file makes one generation active and the other quiet. It is the heart of the exact drain
// (docs/architecture.md).
//
// A program reads `control.active` once per packet, inside an RCU read-side section. flip() writes it;
// barrier() returns after every program that may have read the old value has ended. From then on nothing
// writes the retired generation.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "capture/flow_table.hpp"
#include "capture/program.hpp"

namespace flowtally::capture {

/// The selector of a program, which must outlive it. Not thread-safe; one per program.
class GenerationSwitch {
 public:
  [[nodiscard]] static base::Result<GenerationSwitch> create(const Program& program);

  [[nodiscard]] GenerationIndex active() const noexcept;
  /// Number of the active generation. The first one of a program has the microseconds since boot at which it
  /// was made, each next one is one more: a drain takes longer than a microsecond, so no number comes twice
  /// in a boot.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return state_of(active()).epoch; }
  /// Number and times of a generation.
  [[nodiscard]] const ft_generation& state_of(GenerationIndex index) const noexcept {
    return control_->generation[to_index(index)];
  }

  /// The generation that was retired and not yet forgotten, by us or by an agent that was killed.
  [[nodiscard]] std::optional<GenerationIndex> retired() const noexcept;
  /// Makes the other generation, which must be empty, the active one: retired() is what was. Programs that
  /// run at this moment may still write it. Killed at whatever instant, the flip has been made or has not.
  /// `beside_others`: there are generations in other maps, so the new one's number comes from the clock again
  /// and is above theirs.
  void flip(base::Moment now, bool beside_others = false) noexcept;
  /// The retired generation is empty again.
  void forget_retired() noexcept;

  /// True where packets may be taken off again (drops.hpp): barrier() then has two steps, because a drop is
  /// of the retired generation until the first one.
  void expect_drops() noexcept { drops_ = true; }

  /// Waits until no program that started before the call runs any more: an update of a map-in-map ends with
  /// synchronize_rcu() (maybe_wait_bpf_programs, kernel/bpf/syscall.c), whatever the map and whoever uses it.
  /// Some milliseconds of waiting, no CPU. After a failure it can be repeated.
  [[nodiscard]] base::Status barrier() const;

 private:
  [[nodiscard]] base::Status wait_for_programs() const;

  GenerationSwitch(ft_control& control, base::UniqueFd inner, base::UniqueFd outer) noexcept
      : control_(&control), inner_(std::move(inner)), outer_(std::move(outer)) {}

  ft_control* control_;
  bool drops_ = false;
  base::UniqueFd inner_;  ///< an array that nobody uses
  base::UniqueFd outer_;  ///< a map-in-map that no program knows: its update is the barrier
};

}  // namespace flowtally::capture
