/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a packet to its keys. The local end is this node's side in both directions: the source of what leaves,
 * the destination of what arrives; so one entry holds a connection's tx and rx, as in Tailscale's records.
 * Plain C.
 */
#ifndef FLOWTALLY_KEY_BPF_H
#define FLOWTALLY_KEY_BPF_H

#include "flowtally/abi.h"
#include "packet.bpf.h"

static __always_inline void ft_key4(const struct ft_packet* packet, enum ft_direction direction,
                                    struct ft_flow4_key* key) {
    int out = direction == FT_TX;
    __builtin_memset(key, 0, sizeof(*key));
    __builtin_memcpy(key->local, out ? packet->source : packet->destination, 4);
    __builtin_memcpy(key->remote, out ? packet->destination : packet->source, 4);
    key->local_port = out ? packet->source_port : packet->destination_port;
    key->remote_port = out ? packet->destination_port : packet->source_port;
    key->proto = packet->proto;
}

static __always_inline void ft_key6(const struct ft_packet* packet, enum ft_direction direction,
                                    struct ft_flow6_key* key) {
    int out = direction == FT_TX;
    __builtin_memset(key, 0, sizeof(*key));
    __builtin_memcpy(key->local, out ? packet->source : packet->destination, 16);
    __builtin_memcpy(key->remote, out ? packet->destination : packet->source, 16);
    key->local_port = out ? packet->source_port : packet->destination_port;
    key->remote_port = out ? packet->destination_port : packet->source_port;
    key->proto = packet->proto;
}

static __always_inline void ft_key_coarse(const struct ft_packet* packet, enum ft_direction direction,
                                          struct ft_coarse_key* key) {
    __builtin_memset(key, 0, sizeof(*key));
    __builtin_memcpy(key->remote, direction == FT_TX ? packet->destination : packet->source, 16);
    key->family = packet->family;
    key->proto = packet->proto;
}

#endif
