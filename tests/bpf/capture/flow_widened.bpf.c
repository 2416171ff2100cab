// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The production program with the moment between look-up and add widened, so that a swap that does not wait
 * is caught. */
#define FT_BETWEEN_LOOKUP_AND_ADD()                                                        \
  do {                                                                                     \
    for (int step = 0; step < 3000; step++) __asm__ volatile("" : : "r"(step) : "memory"); \
  } while (0)

#include "bpf/flow.bpf.c"
