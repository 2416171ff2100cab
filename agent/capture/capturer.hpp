// This file is capture's public face: a few commands and a few events, plain values in and out, so that it
// can become a process of its own with the rights that capturing needs (design: two processes from one
// binary).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "capture/attachment.hpp"
#include "capture/device.hpp"
#include "capture/drops.hpp"
#include "capture/flow_table.hpp"
#include "capture/foreign.hpp"
#include "capture/generation_switch.hpp"
#include "capture/pins.hpp"
#include "capture/pressure.hpp"
#include "capture/program.hpp"
#include "capture/totals_maps.hpp"
#include "capture/underlay.hpp"
#include "model/generation.hpp"

namespace flowtally::capture {

struct CaptureOptions {
  std::string interface = "tailscale0";
  std::uint32_t flows_max = 131072;  ///< entries of each address family in one generation
  bool exclude = true;               ///< leave out of the flows what Tailscale leaves out
  AttachMode mode = AttachMode::kAuto;
  bool take_off_drops =
      true;  ///< take packets that the device's ring dropped off the flows, where that is possible
  UnderlayOptions underlay{};
  std::span<const std::byte> image = production_image();
  /// A BPF file system: what counts is pinned there, goes on while no agent is there, and is taken over by
  /// the next one. Empty: it ends with the capture.
  std::string bpffs{};
  bool fresh = false;  ///< throw away what an earlier run left, undrained counts included
};

/// What happened outside, in the order in which it was noticed.
struct Event {
  enum class Kind : std::uint8_t {
    kAttached,      ///< the interface is there and counted from now on
    kGone,          ///< the interface, or our program on it, is gone; what was counted stays
    kAttachFailed,  ///< the interface is there, but the programs could not be put on it; tried again at
                    ///< the next look
    kPressure,      ///< the active generation is filling up: drain now
    kUnderlay,      ///< tailscaled's own traffic is counted on one device more
    kLimited,       ///< something that would make the counts better cannot be had here; said once
  };
  Kind kind{};
  std::string text;  ///< for people: which interface, how, why
};

/// How things stand, for status output and metrics.
struct Status {
  bool attached = false;
  bool adopted = false;           ///< the maps are those of an earlier run
  std::string attached_by;        ///< "TCX" or "clsact", empty while nothing is attached
  std::uint32_t ifindex = 0;      ///< of the device that is counted; 0: none
  base::Moment attached_since{};  ///< of this attachment, by this run
  std::string failure{};          ///< why the programs could not be put on the interface; empty if they could
  std::uint64_t epoch = 0;        ///< of the active generation
  Capacity capacity;              ///< of the active generation
  bool drops_taken_off = false;   ///< packets that the device's ring dropped are taken off the flows
  std::uint64_t gaps = 0;         ///< times that the interface, or our program on it, went away
  std::int64_t uncounted_ns = 0;  ///< how long nothing was counted since the first attachment, the current
                                  ///< gap included; boot clock
};

/// Loads, attaches, watches the interface, drains. Everything it put into the kernel goes with it, or, where
/// it is pinned, stays and counts on, unless detach() was called. All calls from one thread, which must stay
/// in the network namespace in which it called open().
class Capturer {
 public:
  /// Loads the program and makes the maps, or takes those of an earlier run over; attaches nothing yet.
  /// kResource: another agent has the pins.
  [[nodiscard]] static base::Result<std::unique_ptr<Capturer>> open(const CaptureOptions& options);
  Capturer(const Capturer&) = delete;
  Capturer& operator=(const Capturer&) = delete;
  ~Capturer();

  /// Readable when take_events() has something to do.
  [[nodiscard]] int event_fd() const noexcept { return parts_.epoll.get(); }
  /// Handles what waits: attaches to the interface if it came, lets go if it went, takes pressure signals.
  [[nodiscard]] std::vector<Event> take_events();
  /// Looks at the interface without being asked to; the first call attaches if the interface is there.
  [[nodiscard]] std::vector<Event> look_at_interface();

  /// Retires the active generation, waits until it is quiet and reads it. The result stays valid, and the
  /// kernel keeps what it was read from, until acknowledge(); a call before that gives the same generation
  /// again. After an error the same generation is tried again by the next call: nothing is lost, the next one
  /// goes on counting meanwhile. What an earlier run left comes first, by its epochs: a generation that it
  /// had retired may be safe elsewhere already, and may then have been cleared in part; whoever keeps records
  /// knows by the epoch.
  [[nodiscard]] base::Result<const model::Generation*> drain();
  /// The generation that drain() gave is safe elsewhere: clears it in the kernel. After an error it can be
  /// repeated.
  [[nodiscard]] base::Status acknowledge();

  /// What the active generation has counted so far, while programs go on counting: flows and totals need not
  /// add up. Changes nothing; the next drain() has all of it.
  [[nodiscard]] base::Result<model::Generation> peek();

  /// By what tailscaled's own packets are known, as it told: local UDP ports, and whether its sockets carry
  /// its mark. Of no meaning where the underlay is not counted.
  void set_tailscaled_sockets(std::span<const std::uint16_t> udp_ports, bool marked) noexcept;

  /// Takes the programs off the interface and the underlay. What they counted is still there to be drained.
  void detach() noexcept;
  /// drain() would give what an earlier run had retired, or what another ABI version counted.
  [[nodiscard]] bool has_backlog() const noexcept;
  [[nodiscard]] Status status() const;

 private:
  /// Everything that lasts as long as the capture. The others refer to `program`, so it comes first and goes
  /// last.
  struct Parts {
    std::unique_ptr<Pins> pins;  ///< null: nothing is pinned
    std::unique_ptr<Program> program;
    std::unique_ptr<FlowTable> table;
    TotalsMaps totals;
    GenerationSwitch selector;
    PressureSignal pressure;
    DeviceWatch watch;
    base::UniqueFd epoll;
    std::optional<DropWatch> drops;
    std::optional<UnderlayCounter> underlay;
  };

  Capturer(CaptureOptions options, Parts parts);
  [[nodiscard]] Event attach_to(const Device& device);
  void lose_interface();
  void look_at_underlay(std::vector<Event>& events);
  void take_device_dropped();
  [[nodiscard]] base::Result<const model::Generation*> drain_foreign();
  void forget_foreign();

  CaptureOptions options_;
  Parts parts_;
  std::optional<Attachment> attachment_;
  std::string last_failure_;   ///< text of the last kAttachFailed, to report each only once
  std::vector<Event> limits_;  ///< found at the start, not yet given out
  std::uint64_t gaps_ = 0;
  std::int64_t uncounted_ns_ = 0;             ///< of the gaps that are over
  std::optional<std::int64_t> gap_since_ns_;  ///< boot clock; none: attached, or never was
  base::Moment attached_since_{};
  bool adopted_ = false;
  bool detached_ = false;
  bool flipped_after_detach_ = false;
  bool drained_for_good_ = false;  ///< nothing is attached, and nothing that was counted is left
  bool foreign_closed_ = false;

  std::optional<ForeignGenerations> foreign_;    ///< what another ABI version left, until it is drained
  std::optional<model::Generation> generation_;  ///< the retired one as read
};

}  // namespace flowtally::capture
