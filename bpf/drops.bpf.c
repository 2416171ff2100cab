// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * This file takes packets off the counts again that were counted on tc egress and then never left: the reader
 * of the TUN was too slow and its ring was full, or the device's queue in front of it was. tailscaled never
 * saw them, so they are not in its records either.
 *
 * The kernel tells of each one (tracepoint kfree_skb) with a reason. It is parsed and measured as on the
 * hook, and taken off the entry in which it was counted, whatever CPU did that: sums over CPUs are modulo
 * 2^64.
 *
 * Which generation? The hook and the driver run for one packet in one section with bottom halves off, on one
 * CPU, unless the packet waits in a queue. While a flip is closing (ft_control.closing, which a barrier ends)
 * and this CPU has counted nothing in the new generation yet, the packet is of the retired one. A packet that
 * did wait and finds itself in no entry of the active generation is counted as late.
 *
 * An object of its own, because older kernels refuse it: they have no reasons (before 5.17) or no BTF.
 */
#include <linux/bpf.h>

#include "flowtally/abi.h"
#include "flowtally/wire.h"

#include "drop_source.bpf.h" /* before parse.bpf.h, which reads through it */

#include "exclude.bpf.h"
#include "key.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "totals.bpf.h"

/* Those that mean "behind tc egress, in front of the wire"; numbers differ between kernels, so the running
 * kernel's BTF gives them. */
enum skb_drop_reason {
    SKB_DROP_REASON_FULL_RING,
    SKB_DROP_REASON_QDISC_DROP,
    SKB_DROP_REASON_QDISC_OVERLIMIT,
    SKB_DROP_REASON_QDISC_CONGESTED,
};

#define FT_REASON_IS(reason, name)                             \
    (bpf_core_enum_value_exists(enum skb_drop_reason, name) && \
     (reason) == (__u32)bpf_core_enum_value(enum skb_drop_reason, name))

static __always_inline int ft_never_left(__u32 reason) {
    return FT_REASON_IS(reason, SKB_DROP_REASON_FULL_RING) ||
           FT_REASON_IS(reason, SKB_DROP_REASON_QDISC_DROP) ||
           FT_REASON_IS(reason, SKB_DROP_REASON_QDISC_OVERLIMIT) ||
           FT_REASON_IS(reason, SKB_DROP_REASON_QDISC_CONGESTED);
}

static __always_inline int ft_is_counted_device(const struct net_device* device) {
    return control.device_index != 0 && (__u32)device->ifindex == control.device_index &&
           device->nd_net.net->ns.inum == control.device_netns;
}

/* Packets and bytes as the hook counted them; `len` from the IP header on. */
static __always_inline struct ft_wire_count ft_measure_drop(struct sk_buff* skb, __u32 len,
                                                            __u32 link_header_len,
                                                            const struct ft_packet* packet, __u32 gso_size,
                                                            __u32 gso_segs) {
    struct ft_skb_size size = {.len = len,
                               .header_len = packet->header_len,
                               .gso_size = gso_size,
                               .is_tcp = packet->proto == FT_PROTO_TCP};
    if (gso_size != 0) {
        const struct qdisc_skb_cb* queue = (const struct qdisc_skb_cb*)skb->cb;
        size.gso_segs = gso_segs;
        size.wire_len = BPF_CORE_READ(queue, pkt_len) - gso_segs * link_header_len;
    }
    return ft_wire_count_of(&size);
}

static __always_inline void ft_take_off(struct ft_counters* counters, const struct ft_wire_count* count) {
    counters->tx_packets -= count->packets;
    counters->tx_bytes -= count->bytes;
}

/* Takes the packet off the entry in which this generation has it. Gives 0 where it has none. */
static __always_inline int ft_take_off_flow(const struct ft_packet* packet, __u32 index,
                                            const struct ft_wire_count* count, struct ft_totals* sums) {
    struct ft_counters* counters = 0;
    if (packet->family == 4) {
        struct ft_flow4_key key;
        ft_key4(packet, FT_TX, &key);
        void* entries = bpf_map_lookup_elem(&flows4, &index);
        if (entries) counters = bpf_map_lookup_elem(entries, &key);
    } else {
        struct ft_flow6_key key;
        ft_key6(packet, FT_TX, &key);
        void* entries = bpf_map_lookup_elem(&flows6, &index);
        if (entries) counters = bpf_map_lookup_elem(entries, &key);
    }
    if (!counters) {
        struct ft_coarse_key key;
        ft_key_coarse(packet, FT_TX, &key);
        void* entries = bpf_map_lookup_elem(&coarse, &index);
        if (entries) counters = bpf_map_lookup_elem(entries, &key);
    }
    if (!counters && sums->rest.tx_packets >= count->packets) {
        struct ft_rest* by_proto = bpf_map_lookup_elem(&rest, &index);
        if (by_proto && by_proto->by_proto[packet->proto].tx_packets >= count->packets) {
            counters = &by_proto->by_proto[packet->proto];
            ft_take_off(&sums->rest, count);
        }
    }
    if (!counters) return 0;
    ft_take_off(counters, count);
    return 1;
}

/* Takes the packet off whatever it was counted as. Gives 0 where this generation has not counted it. */
static __always_inline int ft_take_off_counted(const struct ft_packet* packet, enum ft_unparsed parsed,
                                               __u32 index, const struct ft_wire_count* count,
                                               struct ft_totals* sums) {
    if (parsed != FT_PARSED) {
        ft_take_off(&sums->unparsed, count);
        sums->unparsed_packets[parsed & (FT_UNPARSED_REASONS - 1)] -= count->packets;
        return 1;
    }
    enum ft_excluded excluded = config.exclude ? ft_excluded(packet, FT_TX) : FT_COUNTED;
    if (excluded != FT_COUNTED) {
        ft_take_off(&sums->excluded, count);
        sums->excluded_packets[excluded & (FT_EXCLUDED_REASONS - 1)] -= count->packets;
        return 1;
    }
    return ft_take_off_flow(packet, index, count, sums);
}

/* The generation that counted a packet which this CPU drops now, with this CPU's totals of it. */
static __always_inline struct ft_totals* ft_generation_of_drop(__u32* index) {
    int closing = *(volatile __u32*)&control.closing != 0;
    *index = ft_active_generation();
    struct ft_totals* sums = bpf_map_lookup_elem(&totals, index);
    if (!sums || !closing || sums->hook.tx_packets != 0) return sums;
    *index ^= 1;
    return bpf_map_lookup_elem(&totals, index);
}

SEC("tp_btf/kfree_skb")
int ft_drop(__u64* arguments) { /* skb, location, reason (since 5.17) */
    struct sk_buff* skb = (struct sk_buff*)arguments[0];
    __u32 reason = arguments[2];
    struct net_device* device = skb->dev;
    if (!ft_never_left(reason) || !device || !ft_is_counted_device(device)) return 0;

    const unsigned char* head = skb->head;
    const unsigned char* ip = head + skb->network_header;
    __u32 link_header_len = ip - skb->data;
    __u32 len = skb->len - link_header_len;
    struct skb_shared_info* shared = (struct skb_shared_info*)(head + skb->end);
    __u32 gso_size = BPF_CORE_READ(shared, gso_size);
    struct ft_source source = {.ip = ip, .linear_len = len - skb->data_len};
    struct ft_packet packet = {};
    enum ft_unparsed parsed = ft_parse(&source, len, gso_size, &packet);
    if (parsed != FT_PARSED) packet.header_len = 0;
    struct ft_wire_count count =
        ft_measure_drop(skb, len, link_header_len, &packet, gso_size, BPF_CORE_READ(shared, gso_segs));

    __u32 index;
    struct ft_totals* sums = ft_generation_of_drop(&index);
    if (!sums) return 0; /* cannot be: an array has all its entries */
    int found = ft_take_off_counted(&packet, parsed, index, &count, sums);
    ft_add(found ? &sums->dropped : &sums->dropped_late, FT_TX, &count);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
