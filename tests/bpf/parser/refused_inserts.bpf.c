// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The production program with inserts that fail on demand, through the seam that count.bpf.h has for it. */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

#include "insert_refusal.h"

struct ft_refusal refusal SEC(".data.refusal") = {};

static __always_inline long ft_insert_or_refuse(void* map, const void* key, const void* value) {
  volatile struct ft_refusal* order = &refusal;
  if (order->times == 0) return bpf_map_update_elem(map, key, value, BPF_NOEXIST);
  order->times--;
  if (order->another) bpf_map_update_elem(map, key, value, BPF_NOEXIST);
  return order->as_int ? (long)(__u32)order->error : order->error;
}
#define FT_INSERT(map, key, value) ft_insert_or_refuse((map), (key), (value))

#include "bpf/flow.bpf.c"
