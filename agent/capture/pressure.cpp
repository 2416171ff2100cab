#include "capture/pressure.hpp"

#include <cerrno>

#include <bpf/libbpf.h>

namespace flowtally::capture {

void PressureSignal::Deleter::operator()(ring_buffer* ring) const noexcept { ring_buffer__free(ring); }

base::Result<PressureSignal> PressureSignal::open(const Program& program) {
  PressureSignal signal;
  const auto on_event = [](void* context, void* data, std::size_t size) {
    auto* const seen = static_cast<Seen*>(context);
    if (size >= sizeof(ft_pressure_event)) {
      seen->about_active |= static_cast<const ft_pressure_event*>(data)->index == seen->active;
    }
    return 0;
  };
  signal.ring_.reset(ring_buffer__new(program.map_fd("pressure"), on_event, signal.seen_.get(), nullptr));
  if (!signal.ring_)
    return base::fail(base::Error::from_errno(errno, "open the ring buffer for pressure signals"));
  return signal;
}

int PressureSignal::fd() const noexcept { return ring_buffer__epoll_fd(ring_.get()); }

bool PressureSignal::take(std::uint32_t active) noexcept {
  *seen_ = {.active = active, .about_active = false};
  ring_buffer__consume(ring_.get());
  return seen_->about_active;
}

}  // namespace flowtally::capture
