// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Drives a program under test over many flows inside one BPF_PROG_TEST_RUN: each run writes the next source
 * address and port into the packet (a full-period linear congruence over `keys`, so that neighbours in time
 * are far apart in the table) and then tail-calls what stands in `target`. Its own cost is in every row, that
 * of the empty program included.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} target SEC(".maps");

__u32 number = 0, mask = 0, offset = 0; /* mask: keys - 1, a power of two less one */

SEC("tc") int drive(struct __sk_buff* skb) {
  void *data = (void*)(long)skb->data, *end = (void*)(long)skb->data_end;
  if (data + 24 > end) return -2;
  number = (number * 1664525 + 12345) & mask;
  __u32 key = number + offset;
  *(__u16*)(data + 14) = bpf_htons(key & 0xffff);       /* low half of the IPv4 source address */
  *(__u16*)(data + 20) = bpf_htons(1024 + (key >> 16)); /* source port */
  bpf_tail_call(skb, &target, 0);
  return -3;
}

SEC("tc") int empty(struct __sk_buff* skb) {
  (void)skb;
  return -1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
