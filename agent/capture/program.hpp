// This file is the main BPF object: the programs on the device's hooks, the maps that count, the control
// block. What the rest of capture works on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/result.hpp"
#include "capture/bpf_object.hpp"
#include "flowtally/abi.h"

namespace flowtally::capture {

/// tx: what leaves through tc egress; rx: what arrives through tc ingress.
enum class Direction : std::uint8_t { kTx, kRx };

/// What an skb of a device begins with at the tc hook.
enum class LinkLayer : std::uint8_t { kL3, kEthernet };

/// The object file that is built into the binary. Tests bring images of their own.
[[nodiscard]] std::span<const std::byte> production_image() noexcept;

/// The loaded object. Move-only; everything it gave out ends with it, but for what is attached or pinned.
class Program {
 public:
  struct Options {
    std::span<const std::byte> image = production_image();
    bool exclude = true;                 ///< leave out of the flows what Tailscale leaves out
    const PinDirectory* pins = nullptr;  ///< its maps are those that are pinned here; null: nothing is pinned
  };

  /// Loads and verifies. kPermission without CAP_BPF and CAP_NET_ADMIN, kUnsupported where the verifier or
  /// the kernel refuses; the text ends with the last lines that libbpf or the verifier wrote. On failure
  /// nothing stays loaded.
  [[nodiscard]] static base::Result<Program> load(const Options& options);

  /// Descriptor of the program for one hook; owned by this object.
  [[nodiscard]] int program_fd(Direction direction, LinkLayer link_layer) const noexcept;
  /// Descriptor of a map by its name in maps.bpf.h; owned by this object. The name must exist.
  [[nodiscard]] int map_fd(const char* name) const noexcept { return object_.map_fd(name); }
  /// For objects that share its maps.
  [[nodiscard]] const BpfObject& object() const noexcept { return object_; }
  /// The block that programs read on each packet. Shared memory: `active` is written with release order.
  [[nodiscard]] ft_control& control() const noexcept { return *control_; }

 private:
  struct ControlDeleter {
    void operator()(ft_control* control) const noexcept;
  };

  Program(BpfObject object, ft_control* control) noexcept : object_(std::move(object)), control_(control) {}

  BpfObject object_;
  std::unique_ptr<ft_control, ControlDeleter> control_;
};

/// Possible CPUs: the number of values that a per-CPU map gives for each key.
[[nodiscard]] base::Result<std::uint32_t> possible_cpus();

}  // namespace flowtally::capture
