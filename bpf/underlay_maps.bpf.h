/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of the underlay's programs: counts by generation, as in maps.bpf.h, and by what tailscaled's
 * sockets are known.
 */
#ifndef FLOWTALLY_UNDERLAY_MAPS_BPF_H
#define FLOWTALLY_UNDERLAY_MAPS_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "control.bpf.h"
#include "flowtally/abi.h"

FT_GENERATION_MAPS(physical, struct ft_endpoint_key);

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, FT_GENERATIONS);
    __type(key, __u32);
    __type(value, struct ft_underlay_totals);
} underlay_totals SEC(".maps");

/*
 * This host's addresses, filled by the agent. A packet to another address is not for this host's tailscaled,
 * whatever its port. The value is 0, or the index of the one device on which packets of this address are
 * counted, because they pass the device below it too (macvlan, ipvlan).
 */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, struct ft_address_key);
    __type(value, __u32);
} own_addresses SEC(".maps");

struct ft_ports ports SEC(".data.ports");

#endif
