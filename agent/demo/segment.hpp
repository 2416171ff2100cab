// This file cuts what a TUN hands over into what would cross the wire: one super-packet with a virtio header
// becomes the IP packets that a network card, or a WireGuard client, makes of it. Pure; no I/O.
#pragma once

#include <cstddef>

#include "base/result.hpp"
#include "demo/packet_batch.hpp"
#include "demo/vnet_header.hpp"

namespace flowtally::demo {

/// More segments of one super-packet are refused: 65,535 bytes at the smallest MSS that Linux sends (48) are
/// 1,366.
inline constexpr std::size_t kSegmentsMax = 2048;

/// Appends the wire packets of `packet` to `out`, checksums complete. An ordinary packet gives one, a
/// super-packet ceil(payload / gso_size), each with its own copy of the headers. The header's hdr_len is not
/// used (the kernel calls it a hint); the length comes from csum_start and the TCP data offset. Fails on
/// input that does not hold together, and then `out` is unchanged.
[[nodiscard]] base::Status split(const VnetHeader& header, PacketView packet, PacketBatch& out);

}  // namespace flowtally::demo
