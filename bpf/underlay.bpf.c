// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs on the underlay: tailscaled's own datagrams by remote endpoint, as Tailscale's physicalTraffic
 * has them, and its TCP as one total. An object of its own beside flow.bpf.c, which it shares the control
 * block with: both count in the same generation, and the refusal of one does not take the other with it.
 *
 * What is tailscaled's: on egress what carries its socket mark (SO_MARK, net/netns) and leaves from a port
 * that is known as its own; on ingress what is for such a port and for an address of this host. Ports are
 * told by the agent, or learned from marked datagrams that look like WireGuard or disco: tailscaled takes
 * another port when it likes. Everything else passes after one look. The verdict is always "next".
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flowtally/abi.h"
#include "flowtally/wire.h"

#include "source.bpf.h" /* before parse.bpf.h, which reads through it */

#include "control.bpf.h"
#include "datagram.bpf.h"
#include "entry.bpf.h"
#include "measure.bpf.h"
#include "parse.bpf.h"
#include "tailscaled.bpf.h"
#include "totals.bpf.h"
#include "underlay_maps.bpf.h"

/* First bytes of a datagram of `len` bytes at `offset` of the IP packet. */
static __always_inline void ft_read_head(const struct ft_source* source, __u32 offset, __u32 len,
                                         __u8 (*head)[FT_DATAGRAM_HEAD]) {
    if (len < FT_DATAGRAM_HEAD || ft_load_far(source, offset, head)) __builtin_memset(head, 0, sizeof(*head));
}

/* The datagrams of a UDP packet. Gives 0, or negative where the kernel takes it for broken. */
static __always_inline int ft_read_datagrams(const struct ft_source* source, const struct __sk_buff* skb,
                                             __u32 link_header_len, const struct ft_packet* packet,
                                             struct ft_datagrams* datagrams) {
    __u32 len = skb->len - link_header_len;
    if (packet->header_len < 8 || len < packet->header_len) return -1;
    datagrams->payload = len - packet->header_len;
    datagrams->size = skb->gso_size;
    if (datagrams->size == 0) {
        /* Its own word: behind it may be padding, and a first fragment stands for the whole datagram, because
           tailscaled counts that and the later fragments have no ports. */
        __u16 udp_len;
        if (ft_load_far(source, packet->header_len - 4, &udp_len)) return -1;
        udp_len = ft_from_be16(udp_len);
        if (udp_len < 8) return -1;
        if (udp_len - 8u > datagrams->payload && !ft_may_be_first_fragment(source, packet)) return -1;
        datagrams->payload = udp_len - 8u;
    }
    ft_read_head(source, packet->header_len, datagrams->payload, &datagrams->head);
    return 0;
}

static __always_inline void ft_count_endpoint(const struct ft_packet* packet, __u32 index,
                                              enum ft_direction direction, const struct ft_wire_count* count,
                                              struct ft_underlay_totals* sums) {
    struct ft_endpoint_key key;
    __builtin_memset(&key, 0, sizeof(key));
    __builtin_memcpy(key.remote, direction == FT_TX ? packet->destination : packet->source,
                     sizeof(key.remote));
    key.remote_port = direction == FT_TX ? packet->destination_port : packet->source_port;
    key.family = packet->family;
    void* entries = bpf_map_lookup_elem(&physical, &index);
    if (!entries || ft_count_under(entries, &key, direction, count) < 0)
        ft_add(&sums->rest, direction, count);
}

/*
 * The last datagram of a super-packet may be shorter, and then of another kind: the kernel joins what comes
 * from one endpoint to one port, whatever it is. Those before it are as long as the first, and taken for the
 * same.
 */
static __always_inline void ft_count_datagrams(const struct ft_source* source, const struct ft_packet* packet,
                                               const struct ft_datagrams* datagrams,
                                               enum ft_direction direction) {
    __u32 index = ft_active_generation();
    struct ft_underlay_totals* sums = bpf_map_lookup_elem(&underlay_totals, &index);
    if (!sums) return; /* cannot be: an array has all its entries */

    __u32 size = datagrams->size, bytes = datagrams->payload, number = 1;
    enum ft_datagram kind = ft_kind_of(datagrams->head, size != 0 && size < bytes ? size : bytes, direction);
    if (size != 0 && size < bytes) {
        __u32 last = bytes % size;
        number = bytes / size;
        if (last != 0) {
            __u8 head[FT_DATAGRAM_HEAD];
            ft_read_head(source, packet->header_len + bytes - last, last, &head);
            enum ft_datagram last_kind = ft_kind_of(head, last, direction);
            if (last_kind == kind) {
                number += 1;
            } else {
                bytes -= last;
                struct ft_wire_count alone = ft_count_of_datagrams(1, last, last_kind, head, direction);
                ft_add(&sums->hook, direction, &alone);
                if (last_kind == FT_DATAGRAM_WIREGUARD)
                    ft_count_endpoint(packet, index, direction, &alone, sums);
                else
                    ft_add(&sums->left_out[last_kind & (FT_DATAGRAM_KINDS - 1)], direction, &alone);
            }
        }
    }
    struct ft_wire_count count = ft_count_of_datagrams(number, bytes, kind, datagrams->head, direction);
    ft_add(&sums->hook, direction, &count);
    if (kind == FT_DATAGRAM_WIREGUARD)
        ft_count_endpoint(packet, index, direction, &count, sums);
    else
        ft_add(&sums->left_out[kind & (FT_DATAGRAM_KINDS - 1)], direction, &count);
}

static __always_inline void ft_run_udp(struct __sk_buff* skb, const struct ft_source* source,
                                       const struct ft_packet* packet, enum ft_direction direction,
                                       __u32 link_header_len) {
    struct ft_datagrams datagrams = {};
    __u8 known = ports.udp[direction == FT_TX ? packet->source_port : packet->destination_port];
    int marked = direction == FT_TX && ft_is_marked(skb->mark);
    if (known == FT_PORT_FOREIGN && !marked) return;
    if (!ft_is_counted_here(skb, packet, direction)) return;
    if (ft_read_datagrams(source, skb, link_header_len, packet, &datagrams)) return;
    if (marked && known != FT_PORT_TOLD && known != FT_PORT_LEARNED) {
        /* Marked, but not from the port of WireGuard: DNS, port mapping, a peer relay's server. */
        if (known == FT_PORT_FOREIGN && !ft_has_wireguard_shape(&datagrams) &&
            !ft_is_disco(datagrams.head, datagrams.payload))
            return;
        ports.udp[packet->source_port] = FT_PORT_LEARNED;
    }
    ft_count_datagrams(source, packet, &datagrams, direction);
}

/* Packets and bytes on the wire. A short frame is padded: an ordinary packet is as long as it says itself. */
static __always_inline struct ft_wire_count ft_measure_tcp(const struct ft_source* source,
                                                           const struct __sk_buff* skb,
                                                           const struct ft_packet* packet,
                                                           enum ft_direction direction,
                                                           __u32 link_header_len) {
    struct ft_wire_count count = ft_measure(skb, link_header_len, packet, direction);
    __u32 before = packet->family == 4 ? 0 : sizeof(struct ft_ipv6_header);
    __u16 len;
    if (skb->gso_size == 0 && !ft_load(source, packet->family == 4 ? 2 : 4, &len) && len != 0)
        count.bytes = before + ft_from_be16(len);
    return count;
}

static __always_inline void ft_run_tcp(struct __sk_buff* skb, const struct ft_source* source,
                                       const struct ft_packet* packet, enum ft_direction direction,
                                       __u32 link_header_len) {
    if (direction == FT_TX) {
        if (!ft_is_marked(skb->mark)) return;
        if (ports.tcp[packet->source_port] != FT_PORT_LEARNED)
            ports.tcp[packet->source_port] = FT_PORT_LEARNED;
    } else if (ports.tcp[packet->destination_port] == FT_PORT_FOREIGN ||
               !ft_is_for_marked_socket(skb, packet)) {
        return;
    }
    if (!ft_is_counted_here(skb, packet, direction)) return;
    __u32 index = ft_active_generation();
    struct ft_underlay_totals* sums = bpf_map_lookup_elem(&underlay_totals, &index);
    if (!sums) return; /* cannot be: an array has all its entries */
    struct ft_wire_count count = ft_measure_tcp(source, skb, packet, direction, link_header_len);
    ft_add(&sums->tcp, direction, &count);
}

static __always_inline int ft_run(struct __sk_buff* skb, enum ft_direction direction, __u32 link_header_len) {
    struct ft_source source = ft_source_of(skb, link_header_len);
    if (ft_is_foreign(skb, &source, direction, link_header_len)) return TC_ACT_UNSPEC;

    struct ft_packet packet = {};
    FT_IN_MEMORY(packet);
    if (ft_parse(&source, skb->len - link_header_len, skb->gso_size, &packet) != FT_PARSED)
        return TC_ACT_UNSPEC;
    if (packet.proto == FT_PROTO_UDP)
        ft_run_udp(skb, &source, &packet, direction, link_header_len);
    else if (packet.proto == FT_PROTO_TCP)
        ft_run_tcp(skb, &source, &packet, direction, link_header_len);
    return TC_ACT_UNSPEC;
}

SEC("tc") int ft_under_egress_l3(struct __sk_buff* skb) {
    return ft_run(skb, FT_TX, 0);
}
SEC("tc") int ft_under_ingress_l3(struct __sk_buff* skb) {
    return ft_run(skb, FT_RX, 0);
}
SEC("tc") int ft_under_egress_ethernet(struct __sk_buff* skb) {
    return ft_run(skb, FT_TX, ETH_HLEN);
}
SEC("tc") int ft_under_ingress_ethernet(struct __sk_buff* skb) {
    return ft_run(skb, FT_RX, ETH_HLEN);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
