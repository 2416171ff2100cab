// This file counts tailscaled's own traffic on the devices that carry it (bpf/underlay.bpf.c), in the
// generations of the main program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "capture/attachment.hpp"
#include "capture/device.hpp"
#include "capture/flow_table.hpp"
#include "capture/percpu_map.hpp"
#include "capture/pins.hpp"
#include "capture/program.hpp"
#include "model/generation.hpp"

namespace flowtally::capture {

/// Remote endpoints in one generation; what finds no room is counted in `rest`.
inline constexpr std::uint32_t kEndpointEntries = 4096;
/// A port that was learned and not seen again for one to two of these is forgotten.
inline constexpr std::int64_t kPortFadesAfterNs = std::int64_t{30} * 60 * 1'000'000'000;

struct UnderlayOptions {
  bool enabled = false;
  std::vector<std::string> interfaces{};  ///< empty: as carriers_among() finds them
  const Pins* pins = nullptr;             ///< where it is left for the next run; null: nowhere
};

/// The object file that is built into the binary.
[[nodiscard]] std::span<const std::byte> underlay_image() noexcept;
/// Sums over all CPUs; `counted` is false.
[[nodiscard]] model::Underlay sum_underlay(std::span<const ft_underlay_totals> cpus) noexcept;

/// Loaded, and attached to whatever devices there are. The Program must outlive it. Not thread-safe.
class UnderlayCounter {
 public:
  /// Loads and makes the maps; attaches nothing yet.
  [[nodiscard]] static base::Result<UnderlayCounter> open(const Program& program, UnderlayOptions options,
                                                          std::string counted, AttachMode mode);

  /// What came of a look, for people.
  struct Report {
    std::vector<std::string> attached;
    std::vector<std::string> failed;  ///< each once for as long as it lasts
  };
  /// Goes on devices that came and off those that went, puts programs back that somebody took off, lets
  /// learned ports fade. After changes that `watch` has seen it looks at all devices and addresses anew.
  [[nodiscard]] Report look(const DeviceWatch& watch);

  /// What tailscaled told of its sockets. `marked`: its packets carry its mark, so one without is not its.
  void set_sockets(std::span<const std::uint16_t> udp_ports, bool marked) noexcept;

  /// Fills `physical` and `underlay` of a retired generation. Can be repeated.
  [[nodiscard]] base::Status read(GenerationIndex index, model::Generation& into);
  /// Clears what read() gave. Can be repeated.
  [[nodiscard]] base::Status reset(GenerationIndex index, const model::Generation& drained);

  void detach() noexcept { attachments_.clear(); }
  /// Lets go of everything and leaves it attached, for the next run. Only where there are pins.
  void leave() noexcept;
  /// Takes off what an earlier run left.
  static void remove(const Pins& pins) noexcept;

 private:
  struct PortsDeleter {
    void operator()(ft_ports* ports) const noexcept;
  };
  using Ports = std::unique_ptr<ft_ports, PortsDeleter>;

  UnderlayCounter(const Program& program, HookObject hooks, Ports ports, std::uint32_t cpus)
      : program_(&program), hooks_(std::move(hooks)), ports_(std::move(ports)), cpus_(cpus) {}

  [[nodiscard]] base::Result<std::string> attach_to(const std::string& name, const DeviceWatch& watch);
  void take_addresses(std::map<model::Address, std::uint32_t> addresses);
  void fade_ports() noexcept;
  void read_addresses();
  void remove_stale_pins() const;

  const Program* program_;
  HookObject hooks_;
  Ports ports_;
  std::uint32_t cpus_;
  UnderlayOptions options_{};
  std::string counted_{};
  AttachMode mode_ = AttachMode::kAuto;
  std::vector<PercpuMap> maps_;  ///< by generation
  PercpuMap::Scratch scratch_;
  std::map<std::string, Attachment> attachments_;      ///< by device
  std::optional<std::uint64_t> seen_changes_;          ///< of the watch, when the two below were found
  std::set<std::string> wanted_;                       ///< devices
  std::map<model::Address, std::uint32_t> addresses_;  ///< those in the kernel's map
  std::set<std::string> failing_;                      ///< texts that were reported and still hold
  std::int64_t faded_ns_ = 0;                          ///< boot clock, when ports were last let fade
  bool looked_ = false;
  bool was_attached_ = false;  ///< to some device, since the last generation was cleared
};

}  // namespace flowtally::capture
