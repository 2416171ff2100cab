// This file is what a drained window is: the flows of one generation and the totals that prove them. Values,
// no I/O.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <vector>

#include "base/clock.hpp"
#include "flowtally/abi.h"
#include "model/address.hpp"

namespace flowtally::model {

/// Packets and bytes on the wire by direction: tx left this node, rx came to it.
struct Counters {
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;

  Counters& operator+=(const Counters& other) noexcept {
    tx_packets += other.tx_packets;
    tx_bytes += other.tx_bytes;
    rx_packets += other.rx_packets;
    rx_bytes += other.rx_bytes;
    return *this;
  }
  friend Counters operator+(Counters left, const Counters& right) noexcept { return left += right; }
  friend bool operator==(const Counters&, const Counters&) = default;
  [[nodiscard]] bool zero() const noexcept { return *this == Counters{}; }
};

/// One connection as Tailscale's records key it: protocol, our side, the other side. A coarse flow has no
/// local end (and no remote end either, where only the protocol is known).
struct Flow {
  Endpoint local{};        ///< "src" of the record: this node, or what it routes for
  Endpoint remote{};       ///< "dst" of the record
  std::uint8_t proto = 0;  ///< IANA number; 255 for second and later fragments
  Counters counters{};

  friend bool operator==(const Flow&, const Flow&) = default;
};

/// Everything of a generation that is not a flow: what the hook saw in all, and what of it has no flow, with
/// reasons.
struct Totals {
  Counters hook{};      ///< all that passed the hook, counted apart from the flows
  Counters unparsed{};  ///< could not be parsed
  Counters excluded{};  ///< left out of the flows as Tailscale does
  Counters rest{};      ///< found room neither as a flow nor as a coarse flow
  /// Passed the hook, then found the device's ring full and was never sent; taken off the flow it was counted
  /// in. tx only.
  Counters dropped{};
  /// Dropped the same way, but counted in no flow of this generation: an earlier one had counted it. Not part
  /// of `hook`.
  Counters dropped_late{};
  /// Packets that the device dropped by its own count, as they were handed to it (a super-packet is one),
  /// where the kernel does not let us take them off the flows; else 0.
  std::uint64_t device_dropped = 0;
  std::array<std::uint64_t, FT_UNPARSED_REASONS> unparsed_packets{};       ///< by enum ft_unparsed
  std::array<std::uint64_t, FT_EXCLUDED_REASONS> excluded_packets{};       ///< by enum ft_excluded
  std::array<std::uint64_t, FT_INSERT_FAILURES> flow_insert_failures{};    ///< by enum ft_insert_failure
  std::array<std::uint64_t, FT_INSERT_FAILURES> coarse_insert_failures{};  ///< by enum ft_insert_failure

  Totals& operator+=(const Totals& other) noexcept;
};

/// What tailscaled itself sends and receives on the underlay, in UDP payload bytes; counted apart from the
/// entries, so that hook = entries + disco + stun + other + rest.
struct Underlay {
  bool counted = false;  ///< false: nobody looked
  Counters hook{};       ///< all datagrams of tailscaled's UDP sockets
  Counters disco{};      ///< path discovery; in no flow, as in Tailscale's records
  Counters stun{};       ///< the same
  Counters other{};      ///< neither WireGuard, disco nor STUN
  Counters rest{};       ///< WireGuard that found no room in the table
  Counters unmapped{};   ///< WireGuard of an endpoint that no known peer has (with `rest`)
  Counters
      tcp{};  ///< tailscaled's TCP in IP packets and bytes: relays (DERP), control, logs. Not part of hook

  Underlay& operator+=(const Underlay& more) noexcept;
  friend bool operator==(const Underlay&, const Underlay&) = default;
};

/// A window: the interval in which one generation was active, and what was counted in it.
struct Window {
  base::Moment start{};       ///< when the generation became active
  base::Moment end{};         ///< when the next one did
  std::uint64_t epoch = 0;    ///< number of the generation, one more than that of the window before
  std::vector<Flow> flows{};  ///< sorted as Tailscale sorts (local, remote, proto), none with zero counters
  std::vector<Flow>
      coarse{};  ///< what was counted under a coarser key, sorted the same; includes `totals.rest`
  Totals totals{};
  std::vector<Flow> physical{};  ///< tailscaled's WireGuard datagrams by remote endpoint (`remote`; no more)
  Underlay underlay{};

  /// True where hook totals = flows + coarse + unparsed + excluded + dropped, in packets and bytes, each
  /// direction, and the same holds for the underlay.
  [[nodiscard]] bool conserved() const noexcept;
  /// Nothing passed a hook, and nothing became known of what had passed before.
  [[nodiscard]] bool idle() const noexcept {
    return totals.hook.zero() && totals.dropped_late.zero() && totals.device_dropped == 0 && flows.empty() &&
           coarse.empty() && physical.empty() && underlay.hook.zero() && underlay.tcp.zero();
  }
  /// flows + coarse + unparsed + excluded + dropped.
  [[nodiscard]] Counters accounted() const noexcept;
};

/// Sum over flows.
[[nodiscard]] Counters sum(const std::vector<Flow>& flows) noexcept;

/// "src, then dst, then proto", the order of every traffic array in Tailscale's records.
[[nodiscard]] bool record_order(const Flow& left, const Flow& right) noexcept;

}  // namespace flowtally::model
