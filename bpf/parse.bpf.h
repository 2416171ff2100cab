/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * This file reads the headers of one IP packet: addresses, protocol, ports, fragment, and how long the
 * headers are. It is a cursor: one function per header, each returns a reason or what follows. Plain C over
 * `struct ft_source`, ft_load() and ft_load_far(), which the includer brings (source.bpf.h in the kernel,
 * tests/support/packet_source.h in user space), so that the same code is fuzzed against an independent
 * parser.
 *
 * What it follows, beside the RFCs, are Tailscale's rules (net/packet/packet.go; reference in
 * docs/formats/record.md): the minimum size of each transport header, protocol 255 for later fragments. One
 * difference is chosen: IPv6 extension headers are walked, so that the flow has its real protocol and ports.
 */
#ifndef FLOWTALLY_PARSE_BPF_H
#define FLOWTALLY_PARSE_BPF_H

#include <linux/types.h>

#include "flowtally/abi.h"
#include "packet.bpf.h"

/* More extension headers than this do not occur: RFC 8200 section 4.1 names each at most once, destination
 * options twice. */
#define FT_EXTENSIONS_MAX 8

/* Linux 5.10 refuses some loops by how the compiler happened to lay them out ("back-edge from insn"), and
 * every later verifier follows a loop at several times the cost; so the one loop is none. */
#ifdef __clang__
#define FT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define FT_UNROLL
#endif

/* The headers as they lie in the packet; network byte order. Own declarations: bit fields of <linux/ip.h>
 * cost shifts. */
struct ft_ipv4_header {
    __u8 version_ihl, tos;
    __u16 total_len, id, fragment;
    __u8 ttl, proto;
    __u16 checksum;
    __u8 source[4], destination[4];
} __attribute__((aligned(4)));
FT_ASSERT_SIZE(struct ft_ipv4_header, 20);

struct ft_ipv6_header {
    __u8 version_class, class_flow[3];
    __u16 payload_len;
    __u8 next, hop_limit;
    __u8 source[16], destination[16];
} __attribute__((aligned(4)));
FT_ASSERT_SIZE(struct ft_ipv6_header, 40);

/* First bytes of every extension header that is walked. `fragment` is that of a fragment header only. */
struct ft_extension_header {
    __u8 next, len;
    __u16 fragment;
} __attribute__((aligned(4)));
FT_ASSERT_SIZE(struct ft_extension_header, 4);

struct ft_port_header {
    __u16 source, destination;
} __attribute__((aligned(4)));

static __always_inline __u16 ft_from_be16(__u16 value) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_bswap16(value);
#else
    return value;
#endif
}

/* Shortest transport header that counts as whole, as in Tailscale's packet.Parsed.decode4/decode6. */
static __always_inline __u32 ft_transport_len_min(__u8 proto, __u8 family) {
    switch (proto) {
        case FT_PROTO_TCP: return 20;
        case FT_PROTO_UDP: return 8;
        case FT_PROTO_SCTP: return 12;
        case FT_PROTO_ICMP: return family == 4 ? 4 : 0;
        case FT_PROTO_ICMPV6: return family == 6 ? 4 : 0;
        case FT_PROTO_IGMP: return family == 4 ? 8 : 0;
        case FT_PROTO_TSMP: return 7;
        default: return 0;
    }
}

/* A later fragment: no ports to be had, one flow per pair of hosts. */
static __always_inline enum ft_unparsed ft_parse_later_fragment(struct ft_packet* packet,
                                                                __u32 offset_bytes) {
    packet->proto = FT_PROTO_FRAGMENT;
    packet->later_fragment = 1;
    packet->short_fragment = offset_bytes < FT_FRAGMENT_OFFSET_MIN;
    packet->header_len = 0;
    return FT_PARSED;
}

/* The transport header at `offset`: ports where the protocol has them, and how far the headers go. */
static __always_inline enum ft_unparsed ft_parse_transport(const struct ft_source* source, __u32 len,
                                                           __u32 offset, __u32 gso_size,
                                                           struct ft_packet* packet) {
    if (len < offset || len - offset < ft_transport_len_min(packet->proto, packet->family))
        return FT_UNPARSED_TRUNCATED;
    if (packet->proto != FT_PROTO_TCP && packet->proto != FT_PROTO_UDP && packet->proto != FT_PROTO_SCTP)
        return FT_PARSED;

    struct ft_port_header ports;
    if (ft_load(source, offset, &ports)) return FT_UNPARSED_TRUNCATED;
    packet->source_port = ft_from_be16(ports.source);
    packet->destination_port = ft_from_be16(ports.destination);
    if (packet->proto == FT_PROTO_UDP) packet->header_len = offset + 8;
    if (packet->proto == FT_PROTO_TCP && gso_size != 0) {
        __u8 data_offset;
        if (ft_load(source, offset + 12, &data_offset)) return FT_UNPARSED_TRUNCATED;
        data_offset >>= 4;
        packet->header_len = offset + (data_offset < 5 ? 5 : data_offset) * 4u;
    }
    return FT_PARSED;
}

static __always_inline enum ft_unparsed ft_parse_ipv4(const struct ft_source* source, __u32 len,
                                                      __u32 gso_size, struct ft_packet* packet) {
    struct ft_ipv4_header ip;
    if (ft_load(source, 0, &ip)) return FT_UNPARSED_TRUNCATED;

    __u32 header_len = (ip.version_ihl & 0x0f) * 4u;
    if (header_len < sizeof(ip)) return FT_UNPARSED_HEADER_LEN;
    if (header_len > len) return FT_UNPARSED_TRUNCATED;
    /* A super-packet's total length may not fit its 16 bits (BIG TCP writes 0). Bytes behind the total length
       stay: the buffer is what Tailscale counts. */
    __u32 total_len = ft_from_be16(ip.total_len);
    if (gso_size == 0 && (total_len > len || total_len < header_len)) return FT_UNPARSED_TOTAL_LEN;
    packet->family = 4;
    packet->proto = ip.proto;
    __builtin_memcpy(packet->source, ip.source, 4);
    __builtin_memcpy(packet->destination, ip.destination, 4);

    __u32 fragment_offset = (ft_from_be16(ip.fragment) & 0x1fffu) * 8;
    if (fragment_offset != 0) return ft_parse_later_fragment(packet, fragment_offset);
    return ft_parse_transport(source, len, header_len, gso_size, packet);
}

static __always_inline int ft_is_walked_extension(__u8 next) {
    return next == FT_PROTO_HOP_BY_HOP || next == FT_PROTO_ROUTING || next == FT_PROTO_DESTINATION_OPTIONS ||
           next == FT_PROTO_FRAGMENT_HEADER;
}

static __always_inline enum ft_unparsed ft_parse_ipv6(const struct ft_source* source, __u32 len,
                                                      __u32 gso_size, struct ft_packet* packet) {
    struct ft_ipv6_header ip;
    if (ft_load(source, 0, &ip)) return FT_UNPARSED_TRUNCATED;

    /* Payload length 0 is a jumbogram or a super-packet (RFC 2675, BIG TCP): the buffer is the measure then.
     */
    __u32 payload_len = ft_from_be16(ip.payload_len);
    if (gso_size == 0 && payload_len > len - sizeof(ip)) return FT_UNPARSED_TOTAL_LEN;
    packet->family = 6;
    __builtin_memcpy(packet->source, ip.source, 16);
    __builtin_memcpy(packet->destination, ip.destination, 16);

    __u8 next = ip.next;
    __u32 offset = sizeof(ip);
    FT_UNROLL
    for (int walked = 0; walked <= FT_EXTENSIONS_MAX; walked++) {
        struct ft_extension_header extension;
        if (!ft_is_walked_extension(next)) {
            packet->proto = next;
            return ft_parse_transport(source, len, offset, gso_size, packet);
        }
        if (walked == FT_EXTENSIONS_MAX) break;
        if (offset + 8 > len || ft_load_far(source, offset, &extension)) return FT_UNPARSED_TRUNCATED;
        if (next == FT_PROTO_FRAGMENT_HEADER) {
            __u32 fragment_offset = ft_from_be16(extension.fragment) & 0xfff8u;
            if (fragment_offset != 0) return ft_parse_later_fragment(packet, fragment_offset);
            offset += 8;
        } else {
            offset += (extension.len + 1u) * 8;
        }
        if (offset > len) return FT_UNPARSED_TRUNCATED;
        next = extension.next;
    }
    return FT_UNPARSED_EXTENSIONS;
}

/*
 * Parses the IP packet of `len` bytes behind `source`. `packet` must be zero. On a reason other than
 * FT_PARSED its content means nothing.
 */
static __always_inline enum ft_unparsed ft_parse(const struct ft_source* source, __u32 len, __u32 gso_size,
                                                 struct ft_packet* packet) {
    __u8 version;
    if (ft_load(source, 0, &version)) return FT_UNPARSED_TRUNCATED;
    version >>= 4;
    if (version == 4) return ft_parse_ipv4(source, len, gso_size, packet);
    if (version == 6) return ft_parse_ipv6(source, len, gso_size, packet);
    return FT_UNPARSED_NOT_IP;
}

#endif
