// This file is the way back of segment.hpp: wire packets that belong together become one super-packet for the
// TUN, as a WireGuard client hands them to its kernel. Only what split() turns back into exactly the same
// bytes is merged. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "demo/packet_batch.hpp"
#include "demo/vnet_header.hpp"

namespace flowtally::demo {

/// Linux refuses UDP super-packets of more segments (UDP_MAX_SEGMENTS, 64 until 6.11 and 128 since).
inline constexpr std::size_t kUdpSegmentsMax = 64;
/// How many groups back a packet looks for one of its own flow.
inline constexpr std::size_t kGroupsSearched = 16;

/// What is to be written to the TUN in one piece.
struct Outgoing {
  VnetHeader header{};
  PacketView bytes{};
  std::size_t packets = 1;  ///< wire packets in it
};

/// Merges the packets of a batch. Order within a flow is kept; a packet whose flow cannot be told (a
/// fragment, another protocol, IP options) is overtaken by none. Not thread-safe; keeps its buffers between
/// calls.
class Coalescer {
 public:
  /// From now on UDP datagrams stay single: a TUN takes no UDP super-packet before Linux 6.2.
  void leave_udp_single() noexcept { merge_udp_ = false; }
  /// The batch must stay unchanged while the result is in use; the result is valid until the next call.
  std::span<const Outgoing> coalesce(const PacketBatch& batch);
  /// Which element of the last result has packet `index` of the batch in it.
  [[nodiscard]] std::size_t group_of(std::size_t index) const noexcept { return group_of_[index]; }

 private:
  /// What a packet is to the coalescer.
  struct Candidate {
    bool has_flow = false;   // the 4-tuple is known
    bool mergeable = false;  // may be in one group with others
    bool push = false;       // TCP PSH: ends its group
    std::uint8_t proto = 0;
    std::size_t transport_at = 0;
    std::size_t header_bytes = 0;
  };
  struct Group {
    Candidate kind;  // of its first packet
    bool open = false;
    bool push = false;
    std::size_t first = 0;  // index in the batch
    std::size_t packets = 1;
    std::size_t bytes = 0;          // of the super-packet
    std::size_t segment_bytes = 0;  // payload of its first packet
    std::size_t merged_index = 0;   // where in merged_, if it has several packets
    std::size_t written = 0;        // bytes of the super-packet so far
  };

  [[nodiscard]] static Candidate inspect(PacketView packet);
  [[nodiscard]] static bool joins(const Group& group, PacketView first, PacketView packet,
                                  const Candidate& candidate);
  static void finish(const Group& group, PacketBytes super, VnetHeader& header);
  [[nodiscard]] Group* latest_of_flow(const PacketBatch& batch, PacketView packet,
                                      const Candidate& candidate);
  void assign(const PacketBatch& batch);
  void merge(const PacketBatch& batch);

  std::vector<Group> groups_;
  std::size_t barrier_ = 0;            // groups before this one are not searched
  std::vector<std::size_t> group_of_;  // by packet
  PacketBatch merged_;
  std::vector<Outgoing> outgoing_;  // by group
  bool merge_udp_ = true;
};

}  // namespace flowtally::demo
