// This file is the header that stands before each packet on a TUN opened with IFF_VNET_HDR: struct
// virtio_net_hdr of linux/virtio_net.h (Virtio 1.2, 5.1.6), in the machine's byte order. Written out, because
// the UAPI header is not C++.
#pragma once

#include <cstdint>

namespace flowtally::demo {

struct VnetHeader {
  std::uint8_t flags = 0;         ///< kNeedsChecksum or none
  std::uint8_t gso_type = 0;      ///< enum Gso, with kGsoEcn or without
  std::uint16_t hdr_len = 0;      ///< IP and transport headers of a super-packet; a hint
  std::uint16_t gso_size = 0;     ///< payload bytes of each segment but the last
  std::uint16_t csum_start = 0;   ///< where the checksum's range begins: the transport header
  std::uint16_t csum_offset = 0;  ///< from there to the checksum's field
};
static_assert(sizeof(VnetHeader) == 10);

enum class Gso : std::uint8_t { kNone = 0, kTcp4 = 1, kTcp6 = 4, kUdp = 5 };

inline constexpr std::uint8_t kNeedsChecksum = 1;
inline constexpr std::uint8_t kGsoEcn = 0x80;

inline constexpr std::uint8_t kProtoTcp = 6;
inline constexpr std::uint8_t kProtoUdp = 17;

}  // namespace flowtally::demo
