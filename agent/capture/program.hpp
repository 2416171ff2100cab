// This file is the main BPF object: the programs on the device's hooks, the maps that count, the control
// block. What the rest of capture works on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/result.hpp"
#include "capture/hook_object.hpp"
#include "flowtally/abi.h"

namespace flowtally::capture {

/// The object file that is built into the binary. Tests bring images of their own.
[[nodiscard]] std::span<const std::byte> production_image() noexcept;

/// The loaded object. Move-only; everything it gave out ends with it, but for what is attached or pinned.
class Program {
 public:
  struct Options {
    std::span<const std::byte> image = production_image();
    bool exclude = true;                 ///< leave out of the flows what Tailscale leaves out
    const PinDirectory* pins = nullptr;  ///< its maps are those that are pinned here; null: nothing is pinned
    LinkLayer link_layer = LinkLayer::kL3;  ///< of the device that is counted, as far as is known
  };

  /// Loads and verifies. kPermission without CAP_BPF and CAP_NET_ADMIN, kUnsupported where the verifier or
  /// the kernel refuses; the text ends with the last lines that libbpf or the verifier wrote. On failure
  /// nothing stays loaded.
  [[nodiscard]] static base::Result<Program> load(const Options& options);

  /// Those for the hooks of a device of that kind; verified now where that is not the kind it was loaded for.
  [[nodiscard]] base::Result<HookPrograms> programs(LinkLayer link_layer) {
    return hooks_.programs(link_layer);
  }
  /// Descriptor of a map by its name in maps.bpf.h; owned by this object. The name must exist.
  [[nodiscard]] int map_fd(const char* name) const noexcept { return object().map_fd(name); }
  /// For objects that share its maps.
  [[nodiscard]] const BpfObject& object() const noexcept { return hooks_.object(); }
  /// The block that programs read on each packet. Shared memory: `active` is written with release order.
  [[nodiscard]] ft_control& control() const noexcept { return *control_; }

 private:
  struct ControlDeleter {
    void operator()(ft_control* control) const noexcept;
  };

  Program(HookObject hooks, ft_control* control) : hooks_(std::move(hooks)), control_(control) {}

  HookObject hooks_;
  std::unique_ptr<ft_control, ControlDeleter> control_;
};

/// Possible CPUs: the number of values that a per-CPU map gives for each key.
[[nodiscard]] base::Result<std::uint32_t> possible_cpus();

}  // namespace flowtally::capture
