// This file finds network devices and says when something about them changed. Everything is of the network
// namespace of the thread that calls open().
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "capture/program.hpp"

namespace flowtally::capture {

/// Index of a device in its namespace; the kernel may give it again after the device is gone.
enum class IfIndex : std::uint32_t {};

[[nodiscard]] constexpr int to_int(IfIndex index) noexcept { return static_cast<int>(index); }

struct Device {
  IfIndex index{};
  LinkLayer link_layer = LinkLayer::kL3;
};

/// True for a name that the kernel would take (dev_valid_name in net/core/dev.c): 1 to 15 bytes, no slash,
/// colon or space.
[[nodiscard]] bool valid_device_name(const std::string& name) noexcept;

/// A socket that becomes readable when a link or an address of the namespace comes, goes or changes
/// (rtnetlink, RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR).
class DeviceWatch {
 public:
  [[nodiscard]] static base::Result<DeviceWatch> open();

  [[nodiscard]] int fd() const noexcept { return netlink_.get(); }
  /// Takes all waiting messages. They are only a hint to look again: the kernel drops some when many come
  /// (ENOBUFS).
  void drain() noexcept;
  /// How many times drain() has found any: another number means that something may have changed.
  [[nodiscard]] std::uint64_t changes() const noexcept { return changes_; }
  /// The device of that name now, or none. kUnsupported where it is neither a layer-3 nor an Ethernet device.
  [[nodiscard]] base::Result<std::optional<Device>> find(const std::string& name) const;

  /// Packets that the device of that name has dropped on the way out since it was made, by its own count
  /// (/proc/net/dev); as they were handed to it, so a super-packet is one. None where it is gone.
  [[nodiscard]] std::optional<std::uint64_t> dropped(const std::string& name) const;

 private:
  DeviceWatch(base::UniqueFd netlink, base::UniqueFd query)
      : netlink_(std::move(netlink)), query_(std::move(query)) {}

  base::UniqueFd netlink_;
  base::UniqueFd query_;  ///< any socket, for the ioctls
  std::uint64_t changes_ = 0;
};

}  // namespace flowtally::capture
