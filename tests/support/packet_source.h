/*
 * Where the parser of bpf/parse.bpf.h gets its bytes from in user space: one buffer. The kernel's counterpart
 * is bpf/source.bpf.h. Plain C; include it before parse.bpf.h.
 */
#ifndef FLOWTALLY_TESTS_PACKET_SOURCE_H
#define FLOWTALLY_TESTS_PACKET_SOURCE_H

#include <linux/types.h>
#include <string.h>

#ifndef __always_inline /* <bpf/bpf_helpers.h> brings it in the kernel build */
#define __always_inline inline __attribute__((always_inline))
#endif

struct ft_source {
  const __u8* packet; /* begins with the IP header */
  __u32 len;
};

static inline int ft_source_copy(const struct ft_source* source, __u32 offset, void* to, __u32 bytes) {
  if (bytes > source->len || offset > source->len - bytes) return -1;
  memcpy(to, source->packet + offset, bytes);
  return 0;
}

/* Copies sizeof(*to) bytes at `offset` of the IP packet. Gives 0, or negative where the packet is shorter. */
#define ft_load(source, offset, to) ft_source_copy((source), (offset), (to), sizeof(*(to)))

/* In the kernel the two differ in cost only. */
#define ft_load_far(source, offset, to) ft_load((source), (offset), (to))

#endif
