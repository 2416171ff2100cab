/* What refused_inserts.bpf.c and its test share: inserts that are to fail. Plain C. */
#ifndef FLOWTALLY_TESTS_INSERT_REFUSAL_H
#define FLOWTALLY_TESTS_INSERT_REFUSAL_H

#include <linux/types.h>

struct ft_refusal {
  __s32 error;   /* what a refused insert returns, negative */
  __u32 times;   /* refuse this many inserts from now on; the program counts down */
  __u32 another; /* non-zero: the refused entry is made all the same, as by another CPU that was first */
  __u32 as_int;  /* non-zero: the error's upper half is zero, as kernels before 6.4 leave it */
};

#endif
