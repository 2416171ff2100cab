/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which packets Tailscale leaves out of its flow logs, so that ours are equal: its service addresses, and on
 * egress what its filter never lets out (wgengine/filter, net/tstun/wrap.go). They stay in the totals as
 * `excluded`. Plain C.
 */
#ifndef FLOWTALLY_EXCLUDE_BPF_H
#define FLOWTALLY_EXCLUDE_BPF_H

#include "flowtally/abi.h"
#include "packet.bpf.h"

/* 100.100.100.100 (tsaddr.TailscaleServiceIP) and fd7a:115c:a1e0::53 (TailscaleServiceIPv6). */
static __always_inline int ft_is_service_address(const __u8* address, __u8 family) {
    if (family == 4) return address[0] == 100 && address[1] == 100 && address[2] == 100 && address[3] == 100;
    if (address[0] != 0xfd || address[1] != 0x7a || address[2] != 0x11 || address[3] != 0x5c ||
        address[4] != 0xa1 || address[5] != 0xe0 || address[15] != 0x53)
        return 0;
    __u8 middle = 0;
    for (int i = 6; i < 15; i++) middle |= address[i];
    return middle == 0;
}

static __always_inline int ft_is_multicast(const __u8* address, __u8 family) {
    return family == 4 ? (address[0] & 0xf0) == 0xe0 : address[0] == 0xff;
}

static __always_inline int ft_is_link_local(const __u8* address, __u8 family) {
    if (family == 6) return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
    if (address[0] != 169 || address[1] != 254) return 0;
    return !(address[2] == 169 && address[3] == 254); /* the clouds' metadata service is let out */
}

static __always_inline enum ft_excluded ft_excluded(const struct ft_packet* packet,
                                                    enum ft_direction direction) {
    if (direction == FT_RX)
        return ft_is_service_address(packet->source, packet->family) ? FT_EXCLUDED_SERVICE : FT_COUNTED;
    if (ft_is_service_address(packet->destination, packet->family)) return FT_EXCLUDED_SERVICE;
    if (ft_is_multicast(packet->destination, packet->family)) return FT_EXCLUDED_MULTICAST;
    if (ft_is_link_local(packet->destination, packet->family)) return FT_EXCLUDED_LINK_LOCAL;
    if (packet->proto == FT_PROTO_FRAGMENT) /* an unfragmented packet may claim protocol 255 too */
        return packet->later_fragment ? (packet->short_fragment ? FT_EXCLUDED_FRAGMENT : FT_COUNTED)
                                      : FT_EXCLUDED_PROTOCOL;
    if (packet->proto == 0 || packet->proto == FT_PROTO_TSMP) return FT_EXCLUDED_PROTOCOL;
    return FT_COUNTED;
}

#endif
