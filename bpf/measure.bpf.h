/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a tc program asks of its skb beside the bytes: is it IP at all, and how much is it on the wire.
 */
#ifndef FLOWTALLY_MEASURE_BPF_H
#define FLOWTALLY_MEASURE_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>

#include "flowtally/abi.h"
#include "flowtally/wire.h"
#include "packet.bpf.h"

static __always_inline struct ft_wire_count ft_measure(const struct __sk_buff* skb, __u32 link_header_len,
                                                       const struct ft_packet* packet,
                                                       enum ft_direction direction) {
    struct ft_skb_size size = {.len = skb->len - link_header_len,
                               .header_len = packet->header_len,
                               .gso_size = skb->gso_size,
                               .is_tcp = packet->proto == FT_PROTO_TCP};
    if (size.gso_size != 0 && direction == FT_TX) {
        size.gso_segs = skb->gso_segs;
        size.wire_len = skb->wire_len - size.gso_segs * link_header_len;
    }
    return ft_wire_count_of(&size);
}

/* On Ethernet the type says what follows; 802.1Q tags are in the skb's metadata by then (skb_vlan_untag). */
static __always_inline int ft_is_ip(const struct __sk_buff* skb, __u32 link_header_len) {
    if (link_header_len == 0) return 1;
    return skb->protocol == (__u32)bpf_htons(ETH_P_IP) || skb->protocol == (__u32)bpf_htons(ETH_P_IPV6);
}

/*
 * Keeps a struct in memory. Split into registers, as the compiler would have it, every field of the packet is
 * spilled again at each of the parser's many joins: 15 ns a packet more (docs/benchmarks.md).
 */
#define FT_IN_MEMORY(object) asm volatile("" : : "r"(&(object)) : "memory")

#endif
