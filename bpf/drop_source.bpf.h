/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The skb as a tracing program sees it: the kernel's own struct, by the offsets of the running kernel's BTF,
 * and where the parser gets its bytes from there (the linear part; that is where a packet's headers are when
 * a device's driver gets it, skb_linearize or not: every qdisc and TUN itself read them there).
 */
#ifndef FLOWTALLY_DROP_SOURCE_BPF_H
#define FLOWTALLY_DROP_SOURCE_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define FT_KERNEL_STRUCT __attribute__((preserve_access_index))

struct ns_common {
    unsigned int inum;
} FT_KERNEL_STRUCT;

struct net {
    struct ns_common ns;
} FT_KERNEL_STRUCT;

typedef struct {
    struct net* net;
} FT_KERNEL_STRUCT possible_net_t;

struct net_device {
    int ifindex;
    possible_net_t nd_net;
} FT_KERNEL_STRUCT;

struct sk_buff {
    struct net_device* dev;
    char cb[48];
    unsigned int len, data_len;
    __u16 network_header;
    unsigned int end; /* an offset from head on 64-bit kernels (NET_SKBUFF_DATA_USES_OFFSET) */
    unsigned char *head, *data;
} FT_KERNEL_STRUCT;

struct skb_shared_info {
    unsigned short gso_size, gso_segs;
} FT_KERNEL_STRUCT;

/* First field of what the qdisc layer keeps in skb->cb (include/net/sch_generic.h): `wire_len` of a tc
 * program.
 */
struct qdisc_skb_cb {
    unsigned int pkt_len;
} FT_KERNEL_STRUCT;

struct ft_source {
    const unsigned char* ip; /* the IP header */
    __u32 linear_len;        /* bytes from there that are in one piece */
};

/* Copies sizeof(*to) bytes at `offset` of the IP packet. Gives 0, or negative where they are not there. */
#define ft_load(source, offset, to)                                                           \
    ((offset) + sizeof(*(to)) <= (source)->linear_len                                         \
         ? bpf_probe_read_kernel((to), sizeof(*(to)), (const void*)((source)->ip + (offset))) \
         : -1)
#define ft_load_far ft_load

#endif
