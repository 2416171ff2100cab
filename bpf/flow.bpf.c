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

#include <bpf/bpf_helpers.h>

#include "flowtally/abi.h"
#include "flowtally/wire.h"

#include "source.bpf.h" /* before parse.bpf.h, which reads through it */

#include "count.bpf.h"
#include "exclude.bpf.h"
#include "measure.bpf.h"
#include "parse.bpf.h"

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
