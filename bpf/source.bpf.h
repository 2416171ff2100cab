/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the parser gets its bytes from, in the kernel: straight from the linear part of the skb where the
 * header lies there, else through bpf_skb_load_bytes, which also reaches into page fragments and frag lists.
 * User space has its own ft_source (tests/support/packet_source.h); parse.bpf.h works with either.
 */
#ifndef FLOWTALLY_SOURCE_BPF_H
#define FLOWTALLY_SOURCE_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* Direct access is tried up to here: the verifier wants a bound on the offset (MAX_PACKET_OFF is 0xffff). */
#define FT_DIRECT_OFFSET_MAX 512u

struct ft_source {
    struct __sk_buff* skb;
    void *ip, *end; /* the IP header and the end of the linear part */
    __u32 base;     /* length of the link header: offsets below count from the IP header */
};

static __always_inline struct ft_source ft_source_of(struct __sk_buff* skb, __u32 link_header_len) {
    return (struct ft_source){.skb = skb,
                              .ip = (void*)(long)skb->data + link_header_len,
                              .end = (void*)(long)skb->data_end,
                              .base = link_header_len};
}

/* Copies sizeof(*to) bytes at `offset` of the IP packet. Gives 0, or negative where the packet is shorter. */
#define ft_load(source, offset, to)                                                                        \
    ({                                                                                                     \
        __u32 ft_offset = (offset);                                                                        \
        __typeof__(to) ft_from = (source)->ip + ft_offset;                                                 \
        long ft_error = 0;                                                                                 \
        if (ft_offset <= FT_DIRECT_OFFSET_MAX && (void*)(ft_from + 1) <= (source)->end)                    \
            *(to) = *ft_from;                                                                              \
        else                                                                                               \
            ft_error = bpf_skb_load_bytes((source)->skb, (source)->base + ft_offset, (to), sizeof(*(to))); \
        ft_error;                                                                                          \
    })

/* The same without the direct way: for rare headers at an offset that the packet itself tells, because each
 * such offset in a direct access is a case of its own to the verifier (four times the work, measured). */
#define ft_load_far(source, offset, to) \
    bpf_skb_load_bytes((source)->skb, (source)->base + (offset), (to), sizeof(*(to)))

#endif
