/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps. Everything that counts exists twice, once per generation; programs write the generation that
 * `ft_control.active` names, the agent reads and clears the other. The inner hash maps are made by the agent,
 * in sizes that follow the traffic; what is declared here is only their shape.
 *
 * PERCPU_HASH, preallocated: no atomics on the packet path, and an insert takes no memory from the allocator
 * (without preallocation it costs 20 µs). Never LRU: it evicts flows that still count.
 */
#ifndef FLOWTALLY_MAPS_BPF_H
#define FLOWTALLY_MAPS_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "flowtally/abi.h"

#define FT_GENERATION_MAPS(name, key_type)                      \
    struct {                                                    \
        __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);               \
        __uint(max_entries, FT_GENERATIONS);                    \
        __type(key, __u32);                                     \
        __array(                                                \
            values, struct {                                    \
                __uint(type, BPF_MAP_TYPE_PERCPU_HASH);         \
                __uint(max_entries, 1);                         \
                __uint(key_size, sizeof(key_type));             \
                __uint(value_size, sizeof(struct ft_counters)); \
            });                                                 \
    } name SEC(".maps")

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

struct ft_control control SEC(".data.control") = {.abi_version = FT_ABI_VERSION};

const volatile struct ft_config config SEC(".rodata.config") = {.exclude = 1};

#endif
