/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps. Everything that counts exists twice, once per generation; programs write the generation that
 * `ft_control.active` names, the agent reads and clears the other.
 *
 * PERCPU_HASH, preallocated: no atomics on the packet path, and an insert takes no memory from the allocator
 * (without preallocation it costs 20 µs). Never LRU: it evicts flows that still count.
 */
#ifndef FLOWTALLY_MAPS_BPF_H
#define FLOWTALLY_MAPS_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "control.bpf.h"
#include "flowtally/abi.h"

FT_GENERATION_MAPS(flows4, struct ft_flow4_key);
FT_GENERATION_MAPS(flows6, struct ft_flow6_key);
FT_GENERATION_MAPS(coarse, struct ft_coarse_key);

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, FT_GENERATIONS);
    __type(key, __u32);
    __type(value, struct ft_totals);
} totals SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, FT_GENERATIONS);
    __type(key, __u32);
    __type(value, struct ft_rest);
} rest SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} pressure SEC(".maps");

const volatile struct ft_config config SEC(".rodata.config") = {.exclude = 1};

#endif
