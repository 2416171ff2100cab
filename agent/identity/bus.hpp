// This file reads tailscaled's IPN bus as no more than a signal that its status is worth reading again. The
// messages are declared unstable and differ between versions, so nothing is taken from them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace flowtally::identity {

/// A message longer than that is not looked into but taken for a change: before 1.100 tailscaled sent the
/// whole network map, megabytes of it.
inline constexpr std::size_t kBusMessageBytesMax = std::size_t{64} << 10U;

/// The bits of watch-ipn-bus?mask= (ipn.NotifyWatchOpt). From 1.100 on: initial state and preferences,
/// changes of peers, small ones as patches (a peer comes online, say), so that they can be told from others.
inline constexpr unsigned kBusMaskPatches = 2 | 4 | 4096 | 32768;
/// Before: initial state and preferences, network maps at most every 3 s.
inline constexpr unsigned kBusMaskRateLimited = 2 | 4 | 256;

/// The mask for a tailscaled of this version ("1.102.5-t0123"); an unreadable one counts as old.
[[nodiscard]] unsigned bus_mask(std::string_view version) noexcept;

/// Cuts the bytes of the bus into messages, one a line.
class BusReader {
 public:
  /// Takes what arrived. True if a message is complete that says more than is passed over: small patches of
  /// peers, health, traffic counts, who speaks. What cannot be read counts as a change.
  [[nodiscard]] bool feed(std::string_view bytes);

  /// Complete messages so far.
  [[nodiscard]] std::uint64_t messages() const noexcept { return messages_; }

 private:
  std::string line_{};     ///< the incomplete one, up to the limit
  bool too_long_ = false;  ///< the incomplete one is longer
  std::uint64_t messages_ = 0;
};

}  // namespace flowtally::identity
