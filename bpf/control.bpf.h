/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every object of ours shares: the control block with the active generation, and the shape of a hash
 * that exists once per generation. Objects beside flow.bpf.c get its maps of the same name when they are
 * loaded (agent/capture/bpf_object.hpp), so that a packet, its drop and its carrier are counted in one
 * generation.
 */
#ifndef FLOWTALLY_CONTROL_BPF_H
#define FLOWTALLY_CONTROL_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "flowtally/abi.h"

/* Programs write the inner map of the generation that `ft_control.active` names, the agent reads and clears
 * the other. The agent makes the inner maps, in sizes that follow the traffic; this is only their shape. */
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

struct ft_control control SEC(".data.control") = {.abi_version = FT_ABI_VERSION};

/* The generation to count in. Read once per packet, so that all its counts fall into one. */
static __always_inline __u32 ft_active_generation(void) {
    return *(volatile __u32*)&control.active & (FT_GENERATIONS - 1);
}

#endif
