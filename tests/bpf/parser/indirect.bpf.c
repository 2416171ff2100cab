// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The production program on skbs of which only the first bytes are linear, as far as ft_load() can tell:
 * everything but what lies at offset 0 goes through bpf_skb_load_bytes. */
#include "bpf/source.bpf.h"
#undef FT_DIRECT_OFFSET_MAX
#define FT_DIRECT_OFFSET_MAX 0u

#include "bpf/flow.bpf.c"
