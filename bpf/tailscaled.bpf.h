/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose packet it is: what tells tailscaled's from all others, the cheap questions first, because on a busy
 * underlay nearly all packets are somebody else's.
 */
#ifndef FLOWTALLY_TAILSCALED_BPF_H
#define FLOWTALLY_TAILSCALED_BPF_H

#include <linux/bpf.h>
#include <linux/if_packet.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "control.bpf.h"
#include "flowtally/abi.h"
#include "measure.bpf.h"
#include "packet.bpf.h"
#include "underlay_maps.bpf.h"

/* LinuxBypassMark and its mask (tsconst/linuxfw.go): 0x80000 of 0xff0000. */
#define FT_MARK_MASK 0xff0000u
#define FT_MARK_TAILSCALED 0x80000u

/* What of an IP packet is looked at before it is parsed: an IPv6 header and two ports. */
#define FT_GLANCE_LEN 44

static __always_inline int ft_is_marked(__u32 mark) {
    return (mark & FT_MARK_MASK) == FT_MARK_TAILSCALED;
}

/* One look at a packet with the usual headers: true where its protocol or its local port is not tailscaled's.
 * False does not mean that it is. */
static __always_inline int ft_has_foreign_port(const struct ft_source* source, enum ft_direction direction) {
    const __u8* ip = source->ip;
    if ((void*)(ip + FT_GLANCE_LEN) > source->end) return 0;
    __u8 proto;
    const __u16* port;
    if (ip[0] == 0x45) {
        proto = ip[9];
        port = (const __u16*)(ip + 20);
    } else if (ip[0] >> 4 == 6) {
        proto = ip[6];
        port = (const __u16*)(ip + 40);
        if (proto != FT_PROTO_UDP && proto != FT_PROTO_TCP) return proto == FT_PROTO_ICMPV6;
    } else {
        return 0;
    }
    __u32 local = bpf_ntohs(direction == FT_TX ? port[0] : port[1]);
    /* The verifier of Linux 5.10 knows no bounds of a number whose bytes were swapped, and the compiler would
       leave out a mask that it finds needless. */
    asm volatile("" : "+r"(local));
    local &= 0xffff;
    if (proto == FT_PROTO_UDP) return ports.udp[local] == FT_PORT_FOREIGN;
    if (proto == FT_PROTO_TCP) return ports.tcp[local] == FT_PORT_FOREIGN;
    return 1;
}

/* Whether the skb says by itself that it is on its way to or from another device, where it is counted. */
static __always_inline int ft_is_elsewhere(const struct __sk_buff* skb, enum ft_direction direction,
                                           __u32 link_header_len) {
    if (!ft_is_ip(skb, link_header_len)) return 1;
    /* Tagged: counted on the VLAN's device. Tag 0 is a priority and no VLAN (802.1p). */
    if (skb->vlan_present && (skb->vlan_tci & 0xfff) != 0) return 1;
    /* Not for this device's own address on the link: for a macvlan, a bridge, a capture; as in ip_rcv_core().
     */
    return direction == FT_RX && link_header_len != 0 && skb->pkt_type == PACKET_OTHERHOST;
}

/*
 * True for what is not tailscaled's by the cheap signs. On egress that is the mark; where tailscaled cannot
 * mark its sockets (control.mark_is_sure is 0) it is the port, and that a socket of this namespace has sent
 * the packet: what is forwarded for somebody else's tailscaled has none.
 */
static __always_inline int ft_is_foreign(struct __sk_buff* skb, const struct ft_source* source,
                                         enum ft_direction direction, __u32 link_header_len) {
    int marked = direction == FT_TX && ft_is_marked(skb->mark);
    if (direction == FT_TX && !marked && (control.mark_is_sure || !skb->sk)) return 1;
    if (ft_is_elsewhere(skb, direction, link_header_len)) return 1;
    return !marked && ft_has_foreign_port(source, direction);
}

/* Whether the local address is one of this host's, and the skb's device the one to count it on. On egress an
 * address that is not known (yet) will do. */
static __always_inline int ft_is_counted_here(const struct __sk_buff* skb, const struct ft_packet* packet,
                                              enum ft_direction direction) {
    struct ft_address_key key = {.family = packet->family};
    __builtin_memcpy(key.address, direction == FT_TX ? packet->source : packet->destination,
                     sizeof(key.address));
    const __u32* only_on = bpf_map_lookup_elem(&own_addresses, &key);
    if (!only_on) return direction == FT_TX;
    return *only_on == 0 || *only_on == skb->ifindex;
}

/* Whether a UDP length that goes beyond the packet may be right: in the first fragment of a datagram. */
static __always_inline int ft_may_be_first_fragment(const struct ft_source* source,
                                                    const struct ft_packet* packet) {
    __u16 fragment;
    if (packet->family == 6) return packet->header_len > 48; /* some extension header is there */
    return !ft_load(source, 6, &fragment) && (fragment & bpf_htons(0x2000)) != 0;
}

/* Whether the packet is for a TCP socket that carries tailscaled's mark. One that has ended already (TIME
 * WAIT) has no mark to be read: there the port must do. */
static __always_inline int ft_is_for_marked_socket(struct __sk_buff* skb, const struct ft_packet* packet) {
    struct bpf_sock_tuple tuple = {};
    __u32 tuple_len = sizeof(tuple.ipv4);
    if (packet->family == 4) {
        __builtin_memcpy(&tuple.ipv4.saddr, packet->source, 4);
        __builtin_memcpy(&tuple.ipv4.daddr, packet->destination, 4);
        tuple.ipv4.sport = bpf_htons(packet->source_port);
        tuple.ipv4.dport = bpf_htons(packet->destination_port);
    } else {
        __builtin_memcpy(tuple.ipv6.saddr, packet->source, 16);
        __builtin_memcpy(tuple.ipv6.daddr, packet->destination, 16);
        tuple.ipv6.sport = bpf_htons(packet->source_port);
        tuple.ipv6.dport = bpf_htons(packet->destination_port);
        tuple_len = sizeof(tuple.ipv6);
    }
    struct bpf_sock* found = bpf_skc_lookup_tcp(skb, &tuple, tuple_len, BPF_F_CURRENT_NETNS, 0);
    if (!found) return 0;
    const struct bpf_sock* whole = bpf_sk_fullsock(found);
    int marked = whole ? ft_is_marked(whole->mark) : found->state == BPF_TCP_TIME_WAIT;
    bpf_sk_release(found);
    return marked;
}

#endif
