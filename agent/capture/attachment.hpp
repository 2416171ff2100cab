// This file puts our programs on a device and takes them off again: TCX links where the kernel has them
// (6.6), else clsact filters. Whatever others have there stays as it was.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "capture/device.hpp"
#include "capture/pins.hpp"
#include "capture/program.hpp"

namespace flowtally::capture {

/// A BPF link on a TCX hook: first on ingress, last on egress, so that what others drop on the way out is not
/// counted.
class TcxLink {
 public:
  /// kUnsupported: the kernel has no TCX.
  [[nodiscard]] static base::Result<TcxLink> attach(int program_fd, IfIndex device, Direction direction);
  /// A link that is there already, with our program in place of its own: each packet meets one of the two.
  /// kNotFound: it is not (any more) on this device.
  [[nodiscard]] static base::Result<TcxLink> adopt(base::UniqueFd link, int program_fd, IfIndex device);
  /// False once the device is gone: the kernel detaches the link then.
  [[nodiscard]] bool alive() const noexcept;
  [[nodiscard]] int fd() const noexcept { return link_.get(); }

 private:
  explicit TcxLink(base::UniqueFd link) noexcept : link_(std::move(link)) {}
  base::UniqueFd link_;  ///< closing the last descriptor of a link detaches it
};

/// A filter on the clsact qdisc, in a place of its own (handle and priority). The destructor removes the
/// filter, and the qdisc only if attach() made it and no other filter has come since.
class ClsactFilter {
 public:
  [[nodiscard]] static base::Result<ClsactFilter> attach(int program_fd, IfIndex device, Direction direction);
  /// The filter of program `id`, with our program in its place: each packet meets one of the two.
  /// `made_qdisc`: we made the qdisc. kNotFound: there is none.
  [[nodiscard]] static base::Result<ClsactFilter> adopt(std::uint32_t id, bool made_qdisc, int program_fd,
                                                        IfIndex device, Direction direction);
  ClsactFilter(ClsactFilter&& other) noexcept
      : device_(other.device_),
        direction_(other.direction_),
        handle_(std::exchange(other.handle_, 0)),
        priority_(other.priority_),
        program_id_(other.program_id_),
        made_qdisc_(std::exchange(other.made_qdisc_, false)) {}
  ClsactFilter& operator=(ClsactFilter&& other) noexcept;
  ~ClsactFilter() { detach(); }
  /// False once the filter is not there any more, or is not ours.
  [[nodiscard]] bool alive() const noexcept;
  [[nodiscard]] bool made_qdisc() const noexcept { return made_qdisc_; }
  /// It stays where it is.
  void leave() noexcept {
    handle_ = 0;
    made_qdisc_ = false;
  }

 private:
  ClsactFilter() = default;
  void detach() noexcept;

  IfIndex device_{};
  Direction direction_ = Direction::kTx;
  std::uint32_t handle_ = 0;  ///< 0: nothing is attached
  std::uint32_t priority_ = 0;
  std::uint32_t program_id_ = 0;
  bool made_qdisc_ = false;
};

/// How to attach: what the kernel offers, or one way only (tests; a user whose other tools want clsact).
enum class AttachMode : std::uint8_t { kAuto, kTcx, kClsact };

/// Where an attachment is pinned, so that it outlives us: NAME_tx, NAME_rx and what belongs to them.
struct AttachmentPins {
  const PinDirectory* directory = nullptr;  ///< null: nothing is pinned
  std::string name{};
};

/// Both programs on one device. The destructor removes exactly what attach() made or took over, pins
/// included. The program and the pins' directory must outlive it, and the thread must stay in the device's
/// namespace. Not thread-safe.
class Attachment {
 public:
  /// What an earlier run left under these pins on this device is taken over: from one packet to the next our
  /// programs stand in place of its own. On any failure nothing is left attached. kNotFound: the device is
  /// gone.
  [[nodiscard]] static base::Result<Attachment> attach(const HookPrograms& programs, const Device& device,
                                                       AttachMode mode, AttachmentPins pins = {});
  /// The main programs, those of the device's link layer.
  [[nodiscard]] static base::Result<Attachment> attach(Program& program, const Device& device,
                                                       AttachMode mode, AttachmentPins pins = {});
  Attachment(Attachment&& other) noexcept;
  Attachment& operator=(Attachment&& other) noexcept;
  ~Attachment() { remove_pins(); }

  [[nodiscard]] const Device& device() const noexcept { return device_; }
  /// "TCX" or "clsact".
  [[nodiscard]] std::string_view kind() const noexcept;
  /// True where both programs took the place of an earlier run's.
  [[nodiscard]] bool adopted() const noexcept { return adopted_; }
  /// False once either program is not on the device any more.
  [[nodiscard]] bool alive() const;
  /// Lets go of it and leaves it on the device, for the next run. Only where it is pinned.
  void leave() &&;

 private:
  using Hook = std::variant<TcxLink, ClsactFilter>;
  struct Attached {
    Hook hook;
    bool adopted = false;
  };
  Attachment(const Device& device, AttachmentPins pins, Attached rx, Attached tx)
      : device_(device),
        pins_(std::move(pins)),
        adopted_(rx.adopted && tx.adopted),
        rx_(std::move(rx.hook)),
        tx_(std::move(tx.hook)) {}
  [[nodiscard]] static base::Result<Hook> attach_hook(int program_fd, const Device& device,
                                                      Direction direction, AttachMode mode);
  void remove_pins() noexcept;

  Device device_;
  AttachmentPins pins_;
  bool adopted_;
  Hook rx_;
  Hook tx_;
};

}  // namespace flowtally::capture
