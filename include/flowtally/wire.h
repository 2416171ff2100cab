/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * This file turns what the kernel shows (one skb, often a super-packet) into what crosses the wire (IP
 * packets and their bytes). It is plain C without helpers, so that the BPF program, the agent and the tests
 * share one arithmetic.
 *
 * A super-packet of payload P and segment size S leaves as ceil(P / S) packets, each with its own copy of the
 * headers: packets = ceil((len - header) / gso_size)        bytes = len + (packets - 1) * header gso_segs
 * cannot be used for it: a TUN sets it to 0 on everything user space writes (virtio_net_hdr_to_skb in
 * include/linux/virtio_net.h).
 */
#ifndef FLOWTALLY_WIRE_H
#define FLOWTALLY_WIRE_H

#include <linux/types.h>

/* SCTP's marker for "the segments are the skbs of the frag list" (GSO_BY_FRAGS in include/linux/skbuff.h). */
#define FT_GSO_BY_FRAGS 0xFFFFu

/* What one skb says about its own size. All lengths in bytes, counted from the first byte of the IP header.
 */
struct ft_skb_size {
    __u32 len;        /* skb length less the link header */
    __u32 header_len; /* IP header + options + extension headers + TCP or UDP header; 0 where there is no such
                         header */
    __u32 gso_size;   /* payload bytes per segment; 0: an ordinary packet */
    __u32 gso_segs;   /* the kernel's own count; only on egress, else 0 */
    __u32
        wire_len; /* the kernel's own length after segmentation, less the link headers; only on egress, else 0
                   */
    __u32 is_tcp; /* non-zero: header_len ends with a TCP header */
};

struct ft_wire_count {
    __u64 packets; /* at least 1 */
    __u64 bytes;
};

/*
 * Packets and bytes on the wire of one skb.
 *
 * Where the formula cannot know the headers (another transport, an inner protocol that is segmented inside a
 * tunnel), the kernel's own count on egress is taken. A tunnel in UDP shows by that count: other segments, or
 * as many but more bytes, because the inner headers are repeated too. TCP is always segmented by the formula,
 * whatever gso_segs says, because the reader of a TUN sees gso_size and no more (struct virtio_net_hdr).
 */
static inline __attribute__((always_inline)) struct ft_wire_count ft_wire_count_of(
    const struct ft_skb_size* size) {
    struct ft_wire_count count = {1, size->len};
    int kernel_counted = size->gso_segs > 1 && size->wire_len >= size->len;

    if (size->gso_size == 0) return count;
    if (size->header_len != 0 && size->gso_size != FT_GSO_BY_FRAGS && size->len > size->header_len) {
        __u32 payload = size->len - size->header_len;
        __u64 segments = (payload + size->gso_size - 1) / size->gso_size;
        __u64 bytes = size->len + (segments - 1) * size->header_len;
        if (size->is_tcp || !kernel_counted || (size->gso_segs == segments && size->wire_len <= bytes)) {
            count.packets = segments;
            count.bytes = bytes;
            return count;
        }
    }
    if (kernel_counted) {
        count.packets = size->gso_segs;
        count.bytes = size->wire_len;
    }
    return count;
}

#endif
