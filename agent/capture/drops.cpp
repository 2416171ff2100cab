#include "capture/drops.hpp"

#include <atomic>
#include <cerrno>

#include <bpf/bpf.h>
#include <sys/stat.h>

#include "capture/kernel_check.hpp"
#include "capture/libbpf_log.hpp"
#include "drops.skel.h"

namespace flowtally::capture {
namespace {

/// The tracepoint kfree_skb has a reason since c504e5c2f964 (net: skb: introduce kfree_skb_reason()).
constexpr KernelVersion kReasonsSince{.major = 5, .minor = 17};

}  // namespace

std::span<const std::byte> drops_image() noexcept {
  std::size_t size = 0;
  const void* const bytes = drops::elf_bytes(&size);
  return {static_cast<const std::byte*>(bytes), size};
}

base::Result<DropWatch> DropWatch::open(const Program& program) {
  // The number by which the kernel's struct net knows itself: the inode of the namespace's file.
  struct stat network_namespace{};
  if (::stat("/proc/thread-self/ns/net", &network_namespace) != 0) {
    return base::fail(base::Error::from_errno(errno, "read the network namespace of this thread"));
  }
  auto object =
      BpfObject::load({.image = drops_image(), .what = "BPF program for drops", .shares = &program.object()});
  if (!object) {
    // Tried first, because distributions bring reasons to older kernels.
    if (running_kernel() >= kReasonsSince) return base::fail(std::move(object.error()));
    return base::fail(base::Error(base::ErrorCode::kUnsupported,
                                  "this kernel does not tell why it drops a packet (Linux 5.17 does)"));
  }
  const LibbpfLog log;
  base::UniqueFd link(bpf_raw_tracepoint_open(nullptr, object->program_fd("ft_drop")));
  if (!link.valid()) {
    return base::fail(base::Error::from_errno(errno, "attach to the tracepoint kfree_skb"));
  }
  return DropWatch(program, std::move(*object), std::move(link),
                   static_cast<std::uint32_t>(network_namespace.st_ino));
}

void DropWatch::watch(const Device& device) noexcept {
  ft_control& control = program_->control();
  std::atomic_ref(control.device_netns).store(network_namespace_, std::memory_order_relaxed);
  std::atomic_ref(control.device_index)
      .store(static_cast<std::uint32_t>(to_int(device.index)), std::memory_order_release);
}

void DropWatch::watch_none() noexcept {
  std::atomic_ref(program_->control().device_index).store(0, std::memory_order_release);
}

}  // namespace flowtally::capture
