// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs on the underlay: tailscaled's own datagrams by remote endpoint, as Tailscale's physicalTraffic
 * has them, and its TCP as one total. An object of its own beside flow.bpf.c, which it shares the control
 * block with: both count in the same generation, and the refusal of one does not take the other with it.
 *
 * What is tailscaled's: on egress what carries its socket mark (SO_MARK, net/netns) and leaves from a port
 * that is known as its own; on ingress what is for such a port and for an address of this host. Ports are
 * told by the agent, or learned from marked datagrams that have the shape of WireGuard: tailscaled takes
 * another port when it likes. Everything else passes after one look at the headers. The verdict is always
 * "next".
 */
#include <linux/bpf.h>
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
#include "totals.bpf.h"
#include "underlay_maps.bpf.h"

/* LinuxBypassMark and its mask (tsconst/linuxfw.go): 0x80000 of 0xff0000. */
#define FT_MARK_MASK 0xff0000u
#define FT_MARK_TAILSCALED 0x80000u

static __always_inline int ft_is_marked(__u32 mark) {
    return (mark & FT_MARK_MASK) == FT_MARK_TAILSCALED;
}

static __always_inline int ft_is_own_address(const struct ft_packet* packet) {
    struct ft_address_key key = {.family = packet->family};
    __builtin_memcpy(key.address, packet->destination, sizeof(key.address));
    return bpf_map_lookup_elem(&own_addresses, &key) != 0;
}

/* The datagrams of a UDP packet. Gives 0, or negative where it ends inside its UDP header. */
static __always_inline int ft_read_datagrams(const struct ft_source* source, const struct __sk_buff* skb,
                                             __u32 link_header_len, const struct ft_packet* packet,
                                             struct ft_datagrams* datagrams) {
    __u32 len = skb->len - link_header_len;
    if (packet->header_len < 8 || len < packet->header_len) return -1;
    datagrams->payload = len - packet->header_len;
    datagrams->size = skb->gso_size;
    if (datagrams->size == 0) {
        /* Its own word, because the first fragment of a datagram stands for all of it. */
        __u16 udp_len;
        if (ft_load_far(source, packet->header_len - 4, &udp_len)) return -1;
        udp_len = ft_from_be16(udp_len);
        if (udp_len >= 8) datagrams->payload = udp_len - 8u;
    }
    if (datagrams->payload < FT_DATAGRAM_HEAD || ft_load_far(source, packet->header_len, &datagrams->head))
        __builtin_memset(datagrams->head, 0, sizeof(datagrams->head));
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

static __always_inline void ft_count_datagrams(const struct ft_packet* packet,
                                               const struct ft_datagrams* datagrams,
                                               enum ft_direction direction) {
    __u32 index = ft_active_generation();
    struct ft_underlay_totals* sums = bpf_map_lookup_elem(&underlay, &index);
    if (!sums) return; /* cannot be: an array has all its entries */
    struct ft_wire_count count = ft_count_of_datagrams(datagrams);
    enum ft_datagram kind = ft_kind_of(datagrams);
    /* A relay's header is in what tailscaled counts as received, and not in what it counts as sent. */
    if (direction == FT_TX && kind == FT_DATAGRAM_WIREGUARD && ft_is_geneve(datagrams->head, 0x12) &&
        count.bytes >= count.packets * FT_GENEVE_LEN)
        count.bytes -= count.packets * FT_GENEVE_LEN;
    ft_add(&sums->hook, direction, &count);
    if (kind != FT_DATAGRAM_WIREGUARD) {
        ft_add(&sums->left_out[kind & (FT_DATAGRAM_KINDS - 1)], direction, &count);
        return;
    }
    if (direction == FT_TX && ft_ends_with_marker(datagrams)) {
        struct ft_wire_count marker = {1, 1};
        ft_add(&sums->left_out[FT_DATAGRAM_OTHER], direction, &marker);
        count.packets -= 1;
        count.bytes -= 1;
    }
    ft_count_endpoint(packet, index, direction, &count, sums);
}

static __always_inline void ft_run_udp(struct __sk_buff* skb, const struct ft_source* source,
                                       const struct ft_packet* packet, enum ft_direction direction,
                                       __u32 link_header_len) {
    struct ft_datagrams datagrams = {};
    if (direction == FT_RX) {
        if (ports.udp[packet->destination_port] == FT_PORT_FOREIGN || !ft_is_own_address(packet)) return;
        if (ft_read_datagrams(source, skb, link_header_len, packet, &datagrams)) return;
    } else {
        int marked = ft_is_marked(skb->mark);
        __u8 known = ports.udp[packet->source_port];
        if (!marked && (known == FT_PORT_FOREIGN || control.mark_is_sure)) return;
        if (ft_read_datagrams(source, skb, link_header_len, packet, &datagrams)) return;
        if (marked && known != FT_PORT_TOLD) {
            if (ft_has_wireguard_shape(&datagrams))
                ports.udp[packet->source_port] = FT_PORT_LEARNED;
            else if (known == FT_PORT_FOREIGN)
                return; /* marked, but not from the port of WireGuard: DNS, port mapping */
        }
    }
    ft_count_datagrams(packet, &datagrams, direction);
}

static __always_inline void ft_count_tcp(const struct __sk_buff* skb, const struct ft_packet* packet,
                                         enum ft_direction direction, __u32 link_header_len) {
    __u32 index = ft_active_generation();
    struct ft_underlay_totals* sums = bpf_map_lookup_elem(&underlay, &index);
    if (!sums) return;
    struct ft_wire_count count = ft_measure(skb, link_header_len, packet, direction);
    ft_add(&sums->tcp, direction, &count);
}

/* Whether the packet is for a socket that carries tailscaled's mark. */
static __always_inline int ft_is_for_marked_socket(struct __sk_buff* skb, const struct ft_packet* packet) {
    struct bpf_sock_tuple tuple = {};
    __u32 tuple_len = sizeof(tuple.ipv4);
    if (packet->family == 4) {
        __builtin_memcpy(&tuple.ipv4.saddr, packet->source, 4);
        __builtin_memcpy(&tuple.ipv4.daddr, packet->destination, 4);
        tuple.ipv4.sport = bpf_htons(packet->source_port);
        tuple.ipv4.dport = bpf_htons(packet->destination_port);
    } else {
        __builtin_memcpy(tuple.ipv6.saddr, packet->source, 16);
        __builtin_memcpy(tuple.ipv6.daddr, packet->destination, 16);
        tuple.ipv6.sport = bpf_htons(packet->source_port);
        tuple.ipv6.dport = bpf_htons(packet->destination_port);
        tuple_len = sizeof(tuple.ipv6);
    }
    struct bpf_sock* socket = bpf_sk_lookup_tcp(skb, &tuple, tuple_len, BPF_F_CURRENT_NETNS, 0);
    if (!socket) return 0;
    int marked = ft_is_marked(socket->mark);
    bpf_sk_release(socket);
    return marked;
}

static __always_inline void ft_run_tcp(struct __sk_buff* skb, const struct ft_packet* packet,
                                       enum ft_direction direction, __u32 link_header_len) {
    if (direction == FT_TX) {
        if (!ft_is_marked(skb->mark)) return;
        ports.tcp[packet->source_port] = FT_PORT_LEARNED;
    } else {
        if (ports.tcp[packet->destination_port] == FT_PORT_FOREIGN) return;
        if (!ft_is_for_marked_socket(skb, packet)) return;
    }
    ft_count_tcp(skb, packet, direction, link_header_len);
}

static __always_inline int ft_run(struct __sk_buff* skb, enum ft_direction direction, __u32 link_header_len) {
    struct ft_source source = ft_source_of(skb, link_header_len);
    struct ft_packet packet = {};
    FT_IN_MEMORY(packet);
    /* A tagged frame is counted on the VLAN's own device. */
    if (skb->vlan_present || !ft_is_ip(skb, link_header_len)) return TC_ACT_UNSPEC;
    if (ft_parse(&source, skb->len - link_header_len, skb->gso_size, &packet) != FT_PARSED)
        return TC_ACT_UNSPEC;
    if (packet.proto == FT_PROTO_UDP)
        ft_run_udp(skb, &source, &packet, direction, link_header_len);
    else if (packet.proto == FT_PROTO_TCP)
        ft_run_tcp(skb, &packet, direction, link_header_len);
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
