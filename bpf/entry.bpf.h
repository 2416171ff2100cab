/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One entry of a per-CPU hash: found or made, and added to.
 */
#ifndef FLOWTALLY_ENTRY_BPF_H
#define FLOWTALLY_ENTRY_BPF_H

#include <linux/bpf.h>
#include <linux/errno.h>

#include <bpf/bpf_helpers.h>

#include "flowtally/abi.h"
#include "totals.bpf.h"

/* Seams of the tests' own builds of this program (tests/bpf): widen the moment between look-up and add,
 * refuse inserts. */
#ifndef FT_BETWEEN_LOOKUP_AND_ADD
#define FT_BETWEEN_LOOKUP_AND_ADD()
#endif
#ifndef FT_INSERT
#define FT_INSERT(map, key, value) bpf_map_update_elem((map), (key), (value), BPF_NOEXIST)
#endif

/* Adds to the entry of `key`, making it if need be. Returns 0, 1 where the entry is new, or the insert's
 * error. */
static __always_inline long ft_count_under(void* map, const void* key, enum ft_direction direction,
                                           const struct ft_wire_count* count) {
    struct ft_counters* counters = bpf_map_lookup_elem(map, key);
    if (!counters) {
        struct ft_counters fresh = {};
        ft_add(&fresh, direction, count);
        /* An int, because before Linux 6.4 (d7ba4cc900bf) the verifier replaces the helper by a call of the
           map's own function, which returned int: the upper half of the register is then not the sign. */
        int error = (int)FT_INSERT(map, key, &fresh);
        if (error == 0) return 1;
        if (error != -EEXIST) return error;
        counters = bpf_map_lookup_elem(map, key); /* another CPU was first */
        if (!counters) return -ENOENT;
    }
    FT_BETWEEN_LOOKUP_AND_ADD();
    ft_add(counters, direction, count);
    return 0;
}

#endif
