// This file is the capture itself: what loads, attaches, watches the interface and drains.
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
#include "capture/capture.hpp"
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

/// All calls from one thread, which must stay in the network namespace in which it called open().
class Capturer final : public Capture {
 public:
  /// Loads the program and makes the maps, or takes those of an earlier run over; attaches nothing yet.
  /// kResource: another agent has the pins.
  [[nodiscard]] static base::Result<std::unique_ptr<Capturer>> open(const CaptureOptions& options);
  ~Capturer() override;

  [[nodiscard]] int event_fd() const noexcept override { return parts_.epoll.get(); }
  [[nodiscard]] std::vector<Event> take_events() override;
  [[nodiscard]] std::vector<Event> look_at_interface() override;
  [[nodiscard]] base::Result<const model::Generation*> drain() override;
  [[nodiscard]] base::Status acknowledge() override;
  [[nodiscard]] base::Result<model::Generation> peek() override;
  void set_tailscaled_sockets(std::span<const std::uint16_t> udp_ports, bool marked) noexcept override;
  void detach() noexcept override;
  [[nodiscard]] bool has_backlog() const noexcept override;
  [[nodiscard]] Status status() const override;
  [[nodiscard]] std::optional<base::Error> ended() const override { return std::nullopt; }

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
  void look_at_device(std::vector<Event>& events);
  void open_underlay();
  void look_at_underlay(std::vector<Event>& events);
  void take_device_dropped();
  [[nodiscard]] base::Status close_foreign();
  [[nodiscard]] base::Result<const model::Generation*> drain_foreign();
  [[nodiscard]] std::uint64_t next_own_epoch() const noexcept;

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
  bool underlay_opened_ = false;  ///< or tried to
  bool detached_ = false;
  bool flipped_after_detach_ = false;
  bool drained_for_good_ = false;  ///< nothing is attached, and nothing that was counted is left
  bool foreign_closed_ = false;

  /// What other ABI versions left, until it is drained; the one whose turn it is comes last.
  std::vector<ForeignGenerations> foreign_;
  bool generation_is_foreign_ = false;
  std::optional<model::Generation> generation_;  ///< the retired one as read
};

}  // namespace flowtally::capture
