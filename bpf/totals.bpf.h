/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Adding to counters. A tc program runs with bottom halves off, so nothing else of ours runs on this CPU
 * between a read and the write: per-CPU values need no atomics.
 */
#ifndef FLOWTALLY_TOTALS_BPF_H
#define FLOWTALLY_TOTALS_BPF_H

#include <linux/errno.h>

#include "flowtally/abi.h"
#include "flowtally/wire.h"

static __always_inline void ft_add(struct ft_counters* counters, enum ft_direction direction,
                                   const struct ft_wire_count* count) {
    if (direction == FT_TX) {
        counters->tx_packets += count->packets;
        counters->tx_bytes += count->bytes;
    } else {
        counters->rx_packets += count->packets;
        counters->rx_bytes += count->bytes;
    }
}

static __always_inline void ft_count_insert_failure(__u64 failures[FT_INSERT_FAILURES], long error) {
    if (error == -E2BIG)
        failures[FT_INSERT_FULL]++;
    else if (error == -EBUSY)
        failures[FT_INSERT_BUSY]++;
    else if (error == -ENOMEM)
        failures[FT_INSERT_MEMORY]++;
    else
        failures[FT_INSERT_OTHER]++;
}

#endif
