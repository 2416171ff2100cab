// This file is where packets lie between a read and a write: one growing buffer for many packets, emptied and
// used again, so that no packet costs an allocation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "demo/packet_bytes.hpp"

namespace flowtally::demo {

/// Packets one behind the other. Views into it are valid until the next append() or clear().
class PacketBatch {
 public:
  /// Room for one more packet of `bytes` bytes; what it contains is unspecified.
  [[nodiscard]] PacketBytes append(std::size_t bytes) {
    if (bytes > bytes_.size() - used_) bytes_.resize(std::max(bytes_.size() * 2, used_ + bytes));
    const std::size_t at = std::exchange(used_, used_ + bytes);
    packets_.push_back({at, bytes});
    return PacketBytes(bytes_).subspan(at, bytes);
  }
  void clear() noexcept {
    used_ = 0;
    packets_.clear();
  }
  [[nodiscard]] std::size_t size() const noexcept { return packets_.size(); }
  [[nodiscard]] bool empty() const noexcept { return packets_.empty(); }
  [[nodiscard]] PacketView operator[](std::size_t index) const noexcept {
    return PacketView(bytes_).subspan(packets_[index].at, packets_[index].bytes);
  }
  [[nodiscard]] PacketBytes operator[](std::size_t index) noexcept {
    return PacketBytes(bytes_).subspan(packets_[index].at, packets_[index].bytes);
  }

 private:
  struct Place {
    std::size_t at;
    std::size_t bytes;
  };
  std::vector<std::uint8_t> bytes_;
  std::size_t used_ = 0;
  std::vector<Place> packets_;
};

}  // namespace flowtally::demo
