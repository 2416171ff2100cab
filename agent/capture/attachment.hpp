// This file puts our programs on a device and takes them off again: TCX links where the kernel has them
// (6.6), else clsact filters. Whatever others have there stays as it was.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "capture/device.hpp"
#include "capture/program.hpp"

namespace flowtally::capture {

/// A BPF link on a TCX hook: first on ingress, last on egress, so that what others drop on the way out is not
/// counted.
class TcxLink {
 public:
  /// kUnsupported: the kernel has no TCX.
  [[nodiscard]] static base::Result<TcxLink> attach(int program_fd, IfIndex device, Direction direction);
  /// False once the device is gone: the kernel detaches the link then.
  [[nodiscard]] bool alive() const noexcept;

 private:
  explicit TcxLink(base::UniqueFd link) noexcept : link_(std::move(link)) {}
  base::UniqueFd link_;  ///< closing the last descriptor of a link detaches it
};

/// A filter on the clsact qdisc, in a place of its own (handle and priority). The destructor removes the
/// filter, and the qdisc only if attach() made it and no other filter has come since.
class ClsactFilter {
 public:
  [[nodiscard]] static base::Result<ClsactFilter> attach(int program_fd, IfIndex device, Direction direction);
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

/// Descriptors of the programs for the hooks of one device.
struct HookPrograms {
  int tx = -1;
  int rx = -1;
};

/// Both programs on one device. The destructor removes exactly what attach() made. The program must outlive
/// it, and the thread must stay in the device's namespace. Not thread-safe.
class Attachment {
 public:
  /// On any failure nothing is left attached. kNotFound: the device is gone.
  [[nodiscard]] static base::Result<Attachment> attach(const HookPrograms& programs, const Device& device,
                                                       AttachMode mode);
  /// The main programs, those of the device's link layer.
  [[nodiscard]] static base::Result<Attachment> attach(const Program& program, const Device& device,
                                                       AttachMode mode) {
    return attach({.tx = program.program_fd(Direction::kTx, device.link_layer),
                   .rx = program.program_fd(Direction::kRx, device.link_layer)},
                  device, mode);
  }

  [[nodiscard]] const Device& device() const noexcept { return device_; }
  /// "TCX" or "clsact".
  [[nodiscard]] std::string_view kind() const noexcept;
  /// False once either program is not on the device any more.
  [[nodiscard]] bool alive() const;

 private:
  using Hook = std::variant<TcxLink, ClsactFilter>;
  Attachment(const Device& device, Hook rx, Hook tx)
      : device_(device), rx_(std::move(rx)), tx_(std::move(tx)) {}
  [[nodiscard]] static base::Result<Hook> attach_hook(int program_fd, const Device& device,
                                                      Direction direction, AttachMode mode);

  Device device_;
  Hook rx_;
  Hook tx_;
};

}  // namespace flowtally::capture
