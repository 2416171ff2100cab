// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs on tc egress and tc ingress: parse, count in the totals, leave out what Tailscale leaves out,
 * count the flow. Four entry points: a device either begins with the IP header (a TUN) or with an Ethernet
 * header, and the loader picks the pair by the device's ARP type. The verdict is always "next": nothing is
 * changed, delayed or dropped.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flowtally/abi.h"
#include "flowtally/wire.h"

#include "source.bpf.h" /* before parse.bpf.h, which reads through it */

#include "count.bpf.h"
#include "exclude.bpf.h"
#include "parse.bpf.h"

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

static __always_inline int ft_run(struct __sk_buff* skb, enum ft_direction direction, __u32 link_header_len) {
    struct ft_source source = ft_source_of(skb, link_header_len);
    struct ft_packet packet = {};
    FT_IN_MEMORY(packet);
    __u32 index = ft_active_generation();

    enum ft_unparsed parsed = FT_UNPARSED_NOT_IP;
    if (ft_is_ip(skb, link_header_len))
        parsed = ft_parse(&source, skb->len - link_header_len, skb->gso_size, &packet);
    if (parsed != FT_PARSED) packet.header_len = 0;
    struct ft_wire_count count = ft_measure(skb, link_header_len, &packet, direction);

    struct ft_totals* sums = bpf_map_lookup_elem(&totals, &index);
    if (!sums) return TC_ACT_UNSPEC; /* cannot be: an array has all its entries */
    ft_add(&sums->hook, direction, &count);

    if (parsed != FT_PARSED) {
        ft_add(&sums->unparsed, direction, &count);
        sums->unparsed_packets[parsed & (FT_UNPARSED_REASONS - 1)] += count.packets;
        return TC_ACT_UNSPEC;
    }
    enum ft_excluded excluded = config.exclude ? ft_excluded(&packet, direction) : FT_COUNTED;
    if (excluded != FT_COUNTED) {
        ft_add(&sums->excluded, direction, &count);
        sums->excluded_packets[excluded & (FT_EXCLUDED_REASONS - 1)] += count.packets;
        return TC_ACT_UNSPEC;
    }
    ft_count_flow(&packet, index, direction, &count, sums);
    return TC_ACT_UNSPEC;
}

SEC("tc") int ft_egress_l3(struct __sk_buff* skb) {
    return ft_run(skb, FT_TX, 0);
}
SEC("tc") int ft_ingress_l3(struct __sk_buff* skb) {
    return ft_run(skb, FT_RX, 0);
}
SEC("tc") int ft_egress_ethernet(struct __sk_buff* skb) {
    return ft_run(skb, FT_TX, ETH_HLEN);
}
SEC("tc") int ft_ingress_ethernet(struct __sk_buff* skb) {
    return ft_run(skb, FT_RX, ETH_HLEN);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
