/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parser makes of a packet, and the protocol numbers that mean something to us. Plain C. */
#ifndef FLOWTALLY_PACKET_BPF_H
#define FLOWTALLY_PACKET_BPF_H

#include <linux/types.h>

enum ft_ip_protocol {
    FT_PROTO_HOP_BY_HOP = 0,
    FT_PROTO_ICMP = 1,
    FT_PROTO_IGMP = 2,
    FT_PROTO_TCP = 6,
    FT_PROTO_UDP = 17,
    FT_PROTO_ROUTING = 43,
    FT_PROTO_FRAGMENT_HEADER = 44,
    FT_PROTO_ICMPV6 = 58,
    FT_PROTO_DESTINATION_OPTIONS = 60,
    FT_PROTO_TSMP = 99,
    FT_PROTO_SCTP = 132
};

/* A later fragment that begins before this many bytes is dropped by Tailscale's filter (minFragBlks in
 * net/packet). */
#define FT_FRAGMENT_OFFSET_MIN 80u

/* What a packet is. Addresses in network byte order, IPv4 in the first four bytes; ports in host byte order.
 */
struct ft_packet {
    __u8 source[16], destination[16];
    __u16 source_port, destination_port;
    __u8 family;         /* 4 or 6 */
    __u8 proto;          /* FT_PROTO_FRAGMENT for later fragments */
    __u8 later_fragment; /* non-zero: not the first fragment of its datagram */
    __u8 short_fragment; /* a later fragment that begins inside the first FT_FRAGMENT_OFFSET_MIN bytes */
    __u32 header_len;    /* up to and with the TCP or UDP header; 0 where GSO needs another rule (wire.h) */
};

#endif
