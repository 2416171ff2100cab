#include "capture/drops.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include <bpf/bpf.h>
#include <sys/stat.h>

#include "capture/kernel_check.hpp"
#include "capture/libbpf_log.hpp"
#include "drops.skel.h"

namespace flowtally::capture {
namespace {

/// The tracepoint kfree_skb has a reason since c504e5c2f964 (net: skb: introduce kfree_skb_reason()).
constexpr KernelVersion kReasonsSince{.major = 5, .minor = 17};

constexpr const char* kLinkPin = "drops";
constexpr const char* kProgramPin = "drops_program";

/// A hash of the program's instructions; all zeros where there is no program.
std::array<__u8, BPF_TAG_SIZE> tag_of(int program_fd) noexcept {
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  std::array<__u8, BPF_TAG_SIZE> tag{};
  if (program_fd >= 0 && bpf_prog_get_info_by_fd(program_fd, &info, &length) == 0) {
    std::memcpy(tag.data(), info.tag, tag.size());
  }
  return tag;
}

base::Result<base::UniqueFd> attach(int program_fd) {
  const LibbpfLog log;
  base::UniqueFd link(bpf_raw_tracepoint_open(nullptr, program_fd));
  if (link.valid()) return link;
  return base::fail(base::Error::from_errno(errno, "attach to the tracepoint kfree_skb"));
}

base::Result<base::UniqueFd> attach_pinned(int program_fd, bool same_settings, const PinDirectory* pins) {
  if (pins == nullptr) return attach(program_fd);
  if (same_settings) {
    auto link = pins->get(kLinkPin);
    const auto program = pins->get(kProgramPin);
    if (link && link->valid() && program && program->valid() &&
        tag_of(program->get()) == tag_of(program_fd)) {
      return std::move(*link);
    }
  }
  DropWatch::remove(*pins);
  auto link = attach(program_fd);
  if (!link) return link;
  if (auto pinned = pins->put(kProgramPin, program_fd); !pinned) return base::fail(std::move(pinned.error()));
  if (auto pinned = pins->put(kLinkPin, link->get()); !pinned) return base::fail(std::move(pinned.error()));
  return link;
}

}  // namespace

void DropWatch::remove(const PinDirectory& pins) noexcept {
  pins.remove(kLinkPin);
  pins.remove(kProgramPin);
}

std::span<const std::byte> drops_image() noexcept {
  std::size_t size = 0;
  const void* const bytes = drops::elf_bytes(&size);
  return {static_cast<const std::byte*>(bytes), size};
}

base::Result<DropWatch> DropWatch::open(const Program& program, bool exclude, const PinDirectory* pins) {
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
  auto link =
      attach_pinned(object->program_fd("ft_drop"), program.control().exclude == (exclude ? 1U : 0U), pins);
  if (!link) return base::fail(std::move(link.error()));
  return DropWatch(program, std::move(*object), std::move(*link),
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
