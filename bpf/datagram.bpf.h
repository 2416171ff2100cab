/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a datagram of tailscaled is, by the first bytes of its payload (wgengine/magicsock: packetLooksLike
 * and its callers), and how many datagrams a super-packet has. Plain C.
 */
#ifndef FLOWTALLY_DATAGRAM_BPF_H
#define FLOWTALLY_DATAGRAM_BPF_H

#include <linux/types.h>

#include "flowtally/abi.h"
#include "flowtally/wire.h"

/* Bytes that tell the kinds apart. */
#define FT_DATAGRAM_HEAD 8u
/* A Geneve header without options, in front of what goes through a peer relay. */
#define FT_GENEVE_LEN 8u
/* Shortest messages: disco's magic and sender (discoHeaderLen), STUN's header. */
#define FT_DISCO_LEN_MIN 38u
#define FT_STUN_LEN_MIN 20u

/* The UDP datagrams of one skb. */
struct ft_datagrams {
    __u8 head[FT_DATAGRAM_HEAD]; /* first bytes of the first payload; zero where it is shorter */
    __u32 payload;               /* bytes behind the UDP header, of all datagrams */
    __u32 size;                  /* of each but the last, where there are several; else 0 */
};

static __always_inline int ft_is_wireguard(const __u8* head) {
    return head[0] >= 1 && head[0] <= 4 && head[1] == 0 && head[2] == 0 && head[3] == 0;
}

/* WireGuard by its type and by the lengths that its messages have (whitepaper, 5.4). */
static __always_inline int ft_has_wireguard_shape(const struct ft_datagrams* datagrams) {
    __u32 len = datagrams->size != 0 ? datagrams->size : datagrams->payload;
    if (!ft_is_wireguard(datagrams->head)) return 0;
    switch (datagrams->head[0]) {
        case 1: return len == 148;                  /* handshake initiation */
        case 2: return len == 92;                   /* handshake response */
        case 3: return len == 64;                   /* cookie reply */
        default: return len >= 32 && len % 16 == 0; /* data: header, padded packet, tag */
    }
}

/* disco: its magic is the text "TS" and a heart (disco.Magic). */
static __always_inline int ft_is_disco(const __u8* head, __u32 len) {
    return head[0] == 0x54 && head[1] == 0x53 && head[2] == 0xf0 && head[3] == 0x9f && head[4] == 0x92 &&
           head[5] == 0xac && len >= FT_DISCO_LEN_MIN;
}

/* STUN by its magic cookie (RFC 8489, 5); of its methods only binding. */
static __always_inline int ft_is_stun(const __u8* head, __u32 len) {
    return (head[0] & 0xc0) == 0 && head[1] == 1 && head[4] == 0x21 && head[5] == 0x12 && head[6] == 0xa4 &&
           head[7] == 0x42 && len >= FT_STUN_LEN_MIN;
}

/* Geneve as peer relays use it: version 0, no options, protocol 0x7A11 (disco) or 0x7A12 (WireGuard). */
static __always_inline int ft_is_geneve(const __u8* head, __u8 protocol) {
    return (head[0] & 0xc0) == 0 && (head[1] & 0x3f) == 0 && head[2] == 0x7a && head[3] == protocol &&
           head[7] == 0;
}

/*
 * The kind of a datagram of `len` bytes. What tailscaled takes for neither disco nor STUN it takes for
 * WireGuard, and counts. But on some kernels it ends a batch of equal sizes with a datagram of one byte,
 * which it does not count as sent (net/batching, conn_linux.go), though its receiver counts it.
 */
static __always_inline enum ft_datagram ft_kind_of(const __u8* head, __u32 len, enum ft_direction direction) {
    if (len == 0 || (len == 1 && direction == FT_TX)) return FT_DATAGRAM_OTHER;
    if (ft_is_disco(head, len) || ft_is_geneve(head, 0x11)) return FT_DATAGRAM_DISCO;
    if (ft_is_stun(head, len)) return FT_DATAGRAM_STUN;
    return FT_DATAGRAM_WIREGUARD;
}

/* Datagrams of `kind`, as Tailscale counts them: a relay's header is in what it counts as received, and not
 * in what it counts as sent. */
static __always_inline struct ft_wire_count ft_count_of_datagrams(__u32 datagrams, __u32 bytes,
                                                                  enum ft_datagram kind, const __u8* head,
                                                                  enum ft_direction direction) {
    struct ft_wire_count count = {datagrams, bytes};
    if (direction == FT_TX && kind == FT_DATAGRAM_WIREGUARD && ft_is_geneve(head, 0x12) &&
        bytes >= datagrams * FT_GENEVE_LEN)
        count.bytes -= datagrams * FT_GENEVE_LEN;
    return count;
}

#endif
