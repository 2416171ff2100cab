// This file counts wire packets by flow, for comparison with what the kernel's side counts: a parser of its
// own, written from the RFCs (791, 8200, 9293, 768, 9260) and from the published rules of Tailscale's flow
// log, which shares nothing with the BPF program but the meaning of the result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "demo/packet_bytes.hpp"
#include "model/window.hpp"

namespace flowtally::demo {

/// Seen from the node: kTx leaves it, kRx comes to it.
enum class Direction : std::uint8_t { kTx, kRx };

/// Sums over all packets; flows + unparsed + excluded = all.
struct WireTotals {
  model::Counters all;
  model::Counters unparsed;  ///< not a whole IP packet with a whole transport header
  model::Counters
      excluded;  ///< Tailscale's own services; what a tailnet node never sends (multicast, link-local…)

  friend bool operator==(const WireTotals&, const WireTotals&) = default;
};

/// Counts what passes one node's TUN. Thread-compatible.
class WireCounter {
 public:
  /// One IP packet as it crosses the wire; its bytes are the length of the buffer.
  void count(Direction direction, PacketView packet);
  void add(const WireCounter& other);

  /// Sorted as records are.
  [[nodiscard]] std::vector<model::Flow> flows() const;
  [[nodiscard]] const WireTotals& totals() const noexcept { return totals_; }

 private:
  struct Key {
    model::Endpoint local;
    model::Endpoint remote;
    std::uint8_t proto = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  std::unordered_map<Key, model::Counters, KeyHash> flows_;
  WireTotals totals_;
};

}  // namespace flowtally::demo
