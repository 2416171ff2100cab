// This file takes packets off the counts that passed the hook and were then dropped by the device's ring or
// queue (bpf/drops.bpf.c), where the kernel can tell of them.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "capture/bpf_object.hpp"
#include "capture/device.hpp"
#include "capture/program.hpp"

namespace flowtally::capture {

/// The object file that is built into the binary.
[[nodiscard]] std::span<const std::byte> drops_image() noexcept;

/// The loaded and attached program; it ends with this object. The Program must outlive it.
class DropWatch {
 public:
  /// Loads and attaches; watches no device yet. kUnsupported: the kernel has no BTF, or its kfree_skb tells
  /// no reason (before 5.17). `pins`, which may be null, are where it is left for the next run. What an
  /// earlier run left is kept where it is the same program with the same settings (`exclude`); where not, it
  /// is replaced, and what is dropped in that instant stays counted as sent: a tracepoint's program cannot be
  /// exchanged.
  [[nodiscard]] static base::Result<DropWatch> open(const Program& program, bool exclude,
                                                    const PinDirectory* pins = nullptr);
  /// Takes what an earlier run left here off its tracepoint.
  static void remove(const PinDirectory& pins) noexcept;

  /// From now on drops of this device are taken off; watch_none() ends it.
  void watch(const Device& device) noexcept;
  void watch_none() noexcept;

 private:
  DropWatch(const Program& program, BpfObject object, base::UniqueFd link, std::uint32_t network_namespace)
      : program_(&program),
        object_(std::move(object)),
        link_(std::move(link)),
        network_namespace_(network_namespace) {}

  const Program* program_;
  BpfObject object_;
  base::UniqueFd link_;  ///< closing it detaches
  std::uint32_t network_namespace_;
};

}  // namespace flowtally::capture
