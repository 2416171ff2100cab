// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The production program with inserts that are refused: of eight keys in a row, one each with -EBUSY and
 * -ENOMEM, chosen by the bytes of the key. Coarse entries are refused the same way, so that `rest` is used
 * too.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

static __always_inline long ft_insert_or_refuse(void* map, const void* key, const void* value) {
  __u8 low = *((const __u8*)key + 3); /* last octet of the local (flows) or remote (coarse) IPv4 address */
  if ((low & 7) == 3) return -EBUSY;
  if ((low & 7) == 5) return -ENOMEM;
  return bpf_map_update_elem(map, key, value, BPF_NOEXIST);
}
#define FT_INSERT(map, key, value) ft_insert_or_refuse((map), (key), (value))

#include "bpf/flow.bpf.c"
