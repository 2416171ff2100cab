// This file is capture's public face: a few commands and a few events, plain values in and out. Capturer
// answers them in this process, channel::RemoteCapture asks a process that has the rights for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "capture/attachment.hpp"
#include "capture/flow_table.hpp"
#include "capture/program.hpp"
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
  /// How long another one that has the pins is waited for: the capturer of an agent that was killed needs a
  /// moment to see it.
  std::chrono::milliseconds lock_wait{0};
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

/// A capture that has been opened. Everything it put into the kernel goes with it, or, where it is pinned,
/// stays and counts on, unless detach() was called. All calls from one thread.
class Capture {
 public:
  Capture() = default;
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  virtual ~Capture() = default;

  /// Readable when take_events() has something to do.
  [[nodiscard]] virtual int event_fd() const noexcept = 0;
  /// Handles what waits: attaches to the interface if it came, lets go if it went, takes pressure signals.
  [[nodiscard]] virtual std::vector<Event> take_events() = 0;
  /// Looks at the interface without being asked to; the first call attaches if the interface is there.
  [[nodiscard]] virtual std::vector<Event> look_at_interface() = 0;

  /// Retires the active generation, waits until it is quiet and reads it. The result stays valid, and the
  /// kernel keeps what it was read from, until acknowledge(); a call before that gives the same generation
  /// again. After an error the same generation is tried again by the next call: nothing is lost, the next one
  /// goes on counting meanwhile. What an earlier run left comes first, by its epochs: a generation that it
  /// had retired may be safe elsewhere already, and may then have been cleared in part; whoever keeps records
  /// knows by the epoch.
  [[nodiscard]] virtual base::Result<const model::Generation*> drain() = 0;
  /// The generation that drain() gave is safe elsewhere: clears it in the kernel. After an error it can be
  /// repeated.
  [[nodiscard]] virtual base::Status acknowledge() = 0;

  /// What the active generation has counted so far, while programs go on counting: flows and totals need not
  /// add up. Changes nothing; the next drain() has all of it.
  [[nodiscard]] virtual base::Result<model::Generation> peek() = 0;

  /// By what tailscaled's own packets are known, as it told: local UDP ports, and whether its sockets carry
  /// its mark. Of no meaning where the underlay is not counted.
  virtual void set_tailscaled_sockets(std::span<const std::uint16_t> udp_ports, bool marked) noexcept = 0;

  /// Takes the programs off the interface and the underlay. What they counted is still there to be drained.
  virtual void detach() noexcept = 0;
  /// drain() would give what an earlier run had retired, or what another ABI version counted.
  [[nodiscard]] virtual bool has_backlog() const noexcept = 0;
  [[nodiscard]] virtual Status status() const = 0;
  /// Nothing more can be had of it, and why; what is pinned counts on all the same.
  [[nodiscard]] virtual std::optional<base::Error> ended() const = 0;
};

}  // namespace flowtally::capture
