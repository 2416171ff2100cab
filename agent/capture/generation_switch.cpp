#include "capture/generation_switch.hpp"

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
  if (control.epoch == 0) control.epoch = static_cast<std::uint64_t>(base::now().boot_ns) / 1000;
  return GenerationSwitch(control, std::move(inner), std::move(outer));
}

GenerationIndex GenerationSwitch::active() const noexcept {
  return static_cast<GenerationIndex>(std::atomic_ref(control_->active).load(std::memory_order_relaxed) & 1U);
}

GenerationIndex GenerationSwitch::flip() noexcept {
  const GenerationIndex retired = active();
  control_->epoch += 1;
  if (drops_) std::atomic_ref(control_->closing).store(1, std::memory_order_release);
  std::atomic_ref(control_->active).store(to_index(other(retired)), std::memory_order_release);
  return retired;
}

base::Status GenerationSwitch::barrier() const {
  if (auto waited = wait_for_programs(); !waited || !drops_) return waited;
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
