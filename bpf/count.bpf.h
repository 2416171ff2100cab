/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * This file is the flow table as programs see it: ft_count_flow() puts one packet under its key, or, where
 * there is no room, under a coarser one, or, where there is none for that either, in the totals. Never
 * nowhere. Another table is another body of ft_count_flow().
 */
#ifndef FLOWTALLY_COUNT_BPF_H
#define FLOWTALLY_COUNT_BPF_H

#include <linux/bpf.h>
#include <linux/errno.h>

#include <bpf/bpf_helpers.h>

#include "entry.bpf.h"
#include "flowtally/abi.h"
#include "key.bpf.h"
#include "maps.bpf.h"
#include "totals.bpf.h"

/* Tells the agent, once per generation, that a table is filling up. Runs on inserts only. */
static __always_inline void ft_signal_pressure(__u32 index, struct ft_generation* generation) {
    if (generation->signalled) return;
    if (generation->flows4 < generation->pressure4 && generation->flows6 < generation->pressure6) return;
    generation->signalled = 1;
    struct ft_pressure_event event = {
        .index = index, .flows4 = generation->flows4, .flows6 = generation->flows6};
    if (bpf_ringbuf_output(&pressure, &event, sizeof(event), 0))
        __sync_fetch_and_add(&generation->lost_signals, 1);
}

static __always_inline void ft_count_rest(__u32 index, __u8 proto, enum ft_direction direction,
                                          const struct ft_wire_count* count, struct ft_totals* sums) {
    ft_add(&sums->rest, direction, count);
    struct ft_rest* by_proto = bpf_map_lookup_elem(&rest, &index);
    if (by_proto) ft_add(&by_proto->by_proto[proto], direction, count);
}

static __always_inline void ft_count_coarsely(const struct ft_packet* packet, __u32 index,
                                              enum ft_direction direction, const struct ft_wire_count* count,
                                              struct ft_totals* sums) {
    struct ft_coarse_key key;
    ft_key_coarse(packet, direction, &key);
    void* entries = bpf_map_lookup_elem(&coarse, &index);
    long result = entries ? ft_count_under(entries, &key, direction, count) : -ENOENT;
    if (result >= 0) return;
    ft_count_insert_failure(sums->coarse_insert_failures, result);
    ft_count_rest(index, packet->proto, direction, count, sums);
}

/* Counts a parsed packet in generation `index` (below FT_GENERATIONS). */
static __always_inline void ft_count_flow(const struct ft_packet* packet, __u32 index,
                                          enum ft_direction direction, const struct ft_wire_count* count,
                                          struct ft_totals* sums) {
    long result = -ENOENT;
    struct ft_generation* generation = &control.generation[index & (FT_GENERATIONS - 1)];

    if (packet->family == 4) {
        struct ft_flow4_key key;
        ft_key4(packet, direction, &key);
        void* entries = bpf_map_lookup_elem(&flows4, &index);
        if (entries) result = ft_count_under(entries, &key, direction, count);
        if (result == 1) __sync_fetch_and_add(&generation->flows4, 1);
    } else {
        struct ft_flow6_key key;
        ft_key6(packet, direction, &key);
        void* entries = bpf_map_lookup_elem(&flows6, &index);
        if (entries) result = ft_count_under(entries, &key, direction, count);
        if (result == 1) __sync_fetch_and_add(&generation->flows6, 1);
    }
    if (result == 0) return;
    if (result < 0) {
        ft_count_insert_failure(sums->flow_insert_failures, result);
        ft_count_coarsely(packet, index, direction, count, sums);
    }
    ft_signal_pressure(index, generation);
}

#endif
