#include "capture/generation_switch.hpp"

#include <algorithm>
#include <cerrno>

#include <bpf/bpf.h>

#include "base/clock.hpp"

namespace flowtally::capture {

base::Result<GenerationSwitch> GenerationSwitch::create(const Program& program) {
  base::UniqueFd inner(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ft_barrier_in", sizeof(std::uint32_t),
                                      sizeof(std::uint32_t), 1, nullptr));
  if (!inner.valid()) {
    return base::fail(base::Error::from_errno(errno, "make the inner map of the RCU barrier"));
  }
  LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = static_cast<__u32>(inner.get()));
  base::UniqueFd outer(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "ft_barrier", sizeof(std::uint32_t),
                                      sizeof(std::uint32_t), 1, &options));
  if (!outer.valid())
    return base::fail(base::Error::from_errno(errno, "make the map-in-map of the RCU barrier"));

  ft_control& control = program.control();
  GenerationSwitch made(control, std::move(inner), std::move(outer));
  ft_generation& active = control.generation[to_index(made.active())];
  if (active.epoch == 0) {
    const base::Moment now = base::now();
    active.start_boot_ns = static_cast<std::uint64_t>(now.boot_ns);
    active.start_wall_ns = static_cast<std::uint64_t>(now.wall_ns);
    active.epoch = active.start_boot_ns / 1000;
  }
  active.end_boot_ns = 0;  // somebody was killed in the middle of a flip
  return made;
}

GenerationIndex GenerationSwitch::active() const noexcept {
  return static_cast<GenerationIndex>(std::atomic_ref(control_->active).load(std::memory_order_relaxed) & 1U);
}

std::optional<GenerationIndex> GenerationSwitch::retired() const noexcept {
  const GenerationIndex index = other(active());
  if (state_of(index).end_boot_ns == 0) return std::nullopt;
  return index;
}

void GenerationSwitch::flip(base::Moment now, bool beside_others) noexcept {
  const GenerationIndex index = active();
  ft_generation& retiring = control_->generation[to_index(index)];
  ft_generation& next = control_->generation[to_index(other(index))];
  next.epoch = retiring.epoch + 1;
  if (beside_others)
    next.epoch = std::max<std::uint64_t>(next.epoch, static_cast<std::uint64_t>(now.boot_ns) / 1000);
  next.start_boot_ns = static_cast<std::uint64_t>(now.boot_ns);
  next.start_wall_ns = static_cast<std::uint64_t>(now.wall_ns);
  retiring.end_wall_ns = static_cast<std::uint64_t>(now.wall_ns);
  retiring.end_boot_ns = static_cast<std::uint64_t>(now.boot_ns);
  if (drops_) std::atomic_ref(control_->closing).store(1, std::memory_order_release);
  // The one store that counts: before it `end_boot_ns` of an active generation means nothing (create()).
  std::atomic_ref(control_->active).store(to_index(other(index)), std::memory_order_release);
}

void GenerationSwitch::forget_retired() noexcept {
  ft_generation& empty = control_->generation[to_index(other(active()))];
  std::atomic_ref(empty.end_boot_ns).store(0, std::memory_order_release);
}

base::Status GenerationSwitch::barrier() const {
  if (auto waited = wait_for_programs(); !waited || !drops_) {
    std::atomic_ref(control_->closing)
        .store(0, std::memory_order_release);  // a killed agent's, which had drops
    return waited;
  }
  // Every packet that the retired generation counted has passed the driver too, but for what waits in a
  // queue. From here on a drop is of the active generation; the second wait is for drops that saw the old
  // word.
  std::atomic_ref(control_->closing).store(0, std::memory_order_release);
  return wait_for_programs();
}

base::Status GenerationSwitch::wait_for_programs() const {
  const std::uint32_t slot = 0;
  const int inner = inner_.get();
  if (bpf_map_update_elem(outer_.get(), &slot, &inner, BPF_ANY) != 0) {
    return base::fail(
        base::Error::from_errno(errno, "wait for running BPF programs (update of a map-in-map)"));
  }
  return {};
}

}  // namespace flowtally::capture
