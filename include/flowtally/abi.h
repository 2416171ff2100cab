/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * This file is all that the BPF program and the agent share: the keys, values and global blocks of the maps.
 * Plain C, fixed-width, sizes and offsets asserted; docs/formats/abi.md explains the choices. Change anything
 * here and FT_ABI_VERSION goes up: an agent drains maps of another version and then replaces the program.
 */
#ifndef FLOWTALLY_ABI_H
#define FLOWTALLY_ABI_H

#include <linux/types.h>

#ifdef __cplusplus
#include <cstddef>
#define FT_ASSERT(what) static_assert(what, #what)
#else
#include <stddef.h>
#define FT_ASSERT(what) _Static_assert(what, #what)
#endif
#define FT_ASSERT_SIZE(type, bytes) FT_ASSERT(sizeof(type) == (bytes))
#define FT_ASSERT_OFFSET(type, field, bytes) FT_ASSERT(offsetof(type, field) == (bytes))

#define FT_ABI_VERSION 3u

/* Two generations of every counting map: programs write one, the agent reads the other. */
#define FT_GENERATIONS 2u

/* Protocol number of second and later fragments, as Tailscale logs them (net/packet: ipproto.Fragment). */
#define FT_PROTO_FRAGMENT 255u

/* Direction seen from this node: TX leaves through tc egress, RX arrives through tc ingress. */
enum ft_direction { FT_TX = 0, FT_RX = 1 };

/* Key of an IPv4 flow. Zero the whole struct first: padding takes part in the hash. */
struct ft_flow4_key {
    __u8 local[4], remote[4];      /* network byte order; local = this node's side, in both directions */
    __u16 local_port, remote_port; /* host byte order; 0 where the protocol has no ports */
    __u8 proto;                    /* IANA number; FT_PROTO_FRAGMENT for later fragments */
    __u8 pad[3];
};
FT_ASSERT_SIZE(struct ft_flow4_key, 16);
FT_ASSERT_OFFSET(struct ft_flow4_key, proto, 12);

/* Key of an IPv6 flow; the fields are those of ft_flow4_key. */
struct ft_flow6_key {
    __u8 local[16], remote[16];
    __u16 local_port, remote_port;
    __u8 proto;
    __u8 pad[3];
};
FT_ASSERT_SIZE(struct ft_flow6_key, 40);
FT_ASSERT_OFFSET(struct ft_flow6_key, proto, 36);

/* Key of what found no room among the flows: the peer and the protocol, no ports. */
struct ft_coarse_key {
    __u8 remote[16]; /* network byte order; an IPv4 address in the first four bytes, the rest zero */
    __u8 family;     /* 4 or 6 */
    __u8 proto;
    __u8 pad[2];
};
FT_ASSERT_SIZE(struct ft_coarse_key, 20);

/* Key of tailscaled's own datagrams: the remote endpoint on the underlay. */
struct ft_endpoint_key {
    __u8 remote[16];   /* network byte order; an IPv4 address in the first four bytes, the rest zero */
    __u16 remote_port; /* host byte order */
    __u8 family;       /* 4 or 6 */
    __u8 pad;
};
FT_ASSERT_SIZE(struct ft_endpoint_key, 20);

/* Key of this host's own addresses on the underlay. */
struct ft_address_key {
    __u8 address[16]; /* as in ft_endpoint_key */
    __u32 family;     /* 4 or 6 */
};
FT_ASSERT_SIZE(struct ft_address_key, 20);

/* What is known of a local port of tailscaled. */
enum ft_port {
    FT_PORT_FOREIGN = 0, /* nothing: not tailscaled's */
    FT_PORT_TOLD = 1,    /* agent: tailscaled told */
    FT_PORT_LEARNED = 2, /* program: a marked packet left from it */
    FT_PORT_FADING = 3   /* agent: learned, and not seen for a while */
};

/* The block `.data.ports`, mapped by the agent; enum ft_port by port number. */
struct ft_ports {
    __u8 udp[65536];
    __u8 tcp[65536];
};
FT_ASSERT_SIZE(struct ft_ports, 131072);

/* Packets and bytes on the wire (see wire.h), by direction. */
struct ft_counters {
    __u64 tx_packets, tx_bytes, rx_packets, rx_bytes;
};
FT_ASSERT_SIZE(struct ft_counters, 32);

/* Why a packet has no flow. The numbers are part of the ABI and of the metrics: never reuse one. */
enum ft_unparsed {
    FT_PARSED = 0,
    FT_UNPARSED_NOT_IP = 1,     /* IP version neither 4 nor 6, or another ethertype */
    FT_UNPARSED_TRUNCATED = 2,  /* the packet ends inside a header that it must have */
    FT_UNPARSED_HEADER_LEN = 3, /* IPv4 IHL below 5 */
    FT_UNPARSED_TOTAL_LEN =
        4, /* the IP header claims more bytes than there are, or fewer than its own header */
    FT_UNPARSED_EXTENSIONS = 5, /* more IPv6 extension headers than FT_EXTENSIONS_MAX */
    FT_UNPARSED_REASONS = 8
};

/* Why a packet that was parsed is left out of the flows, as Tailscale leaves it out (tstun/wrap.go,
 * filter.go). */
enum ft_excluded {
    FT_COUNTED = 0,
    FT_EXCLUDED_SERVICE = 1,    /* 100.100.100.100 or fd7a:115c:a1e0::53 at the far end */
    FT_EXCLUDED_MULTICAST = 2,  /* egress to 224.0.0.0/4 or ff00::/8 */
    FT_EXCLUDED_LINK_LOCAL = 3, /* egress to 169.254.0.0/16 (but 169.254.169.254) or fe80::/10 */
    FT_EXCLUDED_FRAGMENT = 4,   /* egress of a later fragment that begins inside the first 80 bytes */
    FT_EXCLUDED_PROTOCOL =
        5, /* egress of protocol 0, 99 (TSMP) or 255, which tailscaled never sends for the host */
    FT_EXCLUDED_REASONS = 8
};

/* Why an insert into a generation failed (bpf_map_update_elem). */
enum ft_insert_failure {
    FT_INSERT_FULL = 0,   /* -E2BIG: max_entries reached */
    FT_INSERT_BUSY = 1,   /* -EBUSY: the bucket's lock was held on this CPU (htab_lock_bucket) */
    FT_INSERT_MEMORY = 2, /* -ENOMEM */
    FT_INSERT_OTHER = 3,
    FT_INSERT_FAILURES = 4
};

/*
 * One per CPU and generation. `hook` is counted first and apart from the flows, so that for each generation
 *     hook = sum of flows + sum of coarse + rest + unparsed + excluded + dropped
 * is a proof and not a tautology. What is dropped is taken off where it was counted, on whatever CPU: a value
 * of one CPU may then be "negative", and only the sum over CPUs, modulo 2^64, means something.
 */
struct ft_totals {
    struct ft_counters hook;
    struct ft_counters unparsed;
    struct ft_counters excluded;
    struct ft_counters rest;    /* had room neither as a flow nor as a coarse entry; by protocol in ft_rest */
    struct ft_counters dropped; /* taken off again: the device's ring was full behind the hook */
    struct ft_counters dropped_late; /* the same, but counted in an earlier generation; not part of hook */
    __u64 unparsed_packets[FT_UNPARSED_REASONS];
    __u64 excluded_packets[FT_EXCLUDED_REASONS];
    __u64 flow_insert_failures[FT_INSERT_FAILURES];
    __u64 coarse_insert_failures[FT_INSERT_FAILURES];
};
FT_ASSERT_SIZE(struct ft_totals, 6 * 32 + 8 * 8 + 8 * 8 + 4 * 8 + 4 * 8);

/* `rest` by IP protocol, one per CPU and generation. Read only where ft_totals.rest is not zero. */
struct ft_rest {
    struct ft_counters by_proto[256];
};
FT_ASSERT_SIZE(struct ft_rest, 8192);

/* What a datagram of tailscaled's UDP sockets is. The numbers are part of the ABI: never reuse one. */
enum ft_datagram {
    FT_DATAGRAM_WIREGUARD = 0,
    FT_DATAGRAM_DISCO = 1,
    FT_DATAGRAM_STUN = 2,
    FT_DATAGRAM_OTHER = 3,
    FT_DATAGRAM_KINDS = 4
};

/*
 * One per CPU and generation: tailscaled's own traffic on the underlay. UDP payload bytes and one packet per
 * datagram, as in Tailscale's physicalTraffic; tcp in IP packets and bytes.
 *     hook = sum of entries + left_out + rest
 */
struct ft_underlay_totals {
    struct ft_counters hook;                        /* all datagrams of tailscaled's UDP sockets */
    struct ft_counters left_out[FT_DATAGRAM_KINDS]; /* by kind; of WireGuard none */
    struct ft_counters rest;                        /* WireGuard without room in the table */
    struct ft_counters tcp;                         /* relays, control, logs; not part of hook */
};
FT_ASSERT_SIZE(struct ft_underlay_totals, 224);

/* State of one generation that both sides touch; a cache line of its own, because every insert writes it. */
struct ft_generation {
    __u32 flows4, flows6;       /* inserted so far; program adds, agent zeroes a retired generation */
    __u32 pressure4, pressure6; /* signal when flows4 or flows6 reaches this; agent only */
    __u32 signalled;            /* set by the program once it has signalled; agent zeroes */
    __u32 lost_signals;         /* the ring buffer was full */
    /* From here on agent only: what the next agent needs to go on where this one was killed. */
    __u64 epoch;         /* number of the generation */
    __u64 start_boot_ns; /* since when it is the active one: both clocks */
    __u64 start_wall_ns;
    __u64 end_boot_ns; /* until when; 0: it is the active one, or empty and waiting for its turn */
    __u64 end_wall_ns;
};
FT_ASSERT_SIZE(struct ft_generation, 64);

/* The block `.data.control`, mapped by the agent. */
struct ft_control {
    __u32
        active; /* index of the generation that programs write; read once per packet, written by the agent */
    __u32 abi_version;    /* FT_ABI_VERSION of the program */
    __u64 device_dropped; /* agent: packets that the device itself has counted as dropped, when last read */
    __u32 closing; /* agent: not 0 from a flip until its barrier: drops may still be of the retired one */
    __u32 device_index; /* agent: index of the counted device in its namespace; 0: none */
    __u32 device_netns; /* agent: inode number of that namespace */
    __u32 mark_is_sure; /* agent: not 0: a datagram without tailscaled's socket mark is not tailscaled's */
    __u64 device_dropped_retired; /* agent: those of the retired generation */
    __u32 exclude;                /* agent: ft_config.exclude of the programs that are attached */
    __u8 pad[20];
    struct ft_generation generation[FT_GENERATIONS];
};
FT_ASSERT_SIZE(struct ft_control, 192);
FT_ASSERT_OFFSET(struct ft_control, generation, 64);

/* The block `.rodata.config`, set before load. */
struct ft_config {
    __u32 exclude; /* non-zero: leave out what Tailscale leaves out (enum ft_excluded) */
};
FT_ASSERT_SIZE(struct ft_config, 4);

/* One entry of the ring buffer `pressure`: generation `index` is filling up. */
struct ft_pressure_event {
    __u32 index;
    __u32 flows4, flows6;
};
FT_ASSERT_SIZE(struct ft_pressure_event, 12);

#endif
