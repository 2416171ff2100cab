// This file loads an object file that has programs for both hooks of a device, a pair for each kind of link
// layer. A pair is verified when the first device of its kind is there: the verifier's work is most of a
// start, and a host has a device of one kind nearly always (docs/adr/0012-programs-when-they-are-needed.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "base/result.hpp"
#include "capture/bpf_object.hpp"

namespace flowtally::capture {

/// tx: what leaves through tc egress; rx: what arrives through tc ingress.
enum class Direction : std::uint8_t { kTx, kRx };

/// What an skb of a device begins with at the tc hook.
enum class LinkLayer : std::uint8_t { kL3, kEthernet };

/// Descriptors of the programs for the hooks of one device.
struct HookPrograms {
  int tx = -1;
  int rx = -1;
};

/// Move-only; what it gave out ends with it, but for what is attached or pinned.
class HookObject {
 public:
  /// Functions by link layer, then by direction. Static storage.
  using Names = std::array<std::array<const char*, 2>, 2>;

  /// The maps, and the pair for `first`; as BpfObject::load().
  [[nodiscard]] static base::Result<HookObject> load(const BpfObject::Options& options, const Names& names,
                                                     LinkLayer first);

  /// The pair for devices of that kind, loaded now if it is not yet; it counts in the same maps. Descriptors
  /// are owned by this object.
  [[nodiscard]] base::Result<HookPrograms> programs(LinkLayer link_layer);
  /// That which has the maps.
  [[nodiscard]] const BpfObject& object() const noexcept { return first_; }

 private:
  HookObject(BpfObject object, const BpfObject::Options& options, const Names& names, LinkLayer first)
      : image_(options.image),
        what_(options.what),
        names_(names),
        first_layer_(first),
        first_(std::move(object)) {}

  std::span<const std::byte> image_;
  const char* what_;
  Names names_;
  LinkLayer first_layer_;
  BpfObject first_;
  std::optional<BpfObject> second_{};
};

}  // namespace flowtally::capture
