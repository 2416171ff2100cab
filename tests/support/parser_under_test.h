/*
 * The BPF program's own parser, exclusion rules and keys, compiled for user space: each function is the one
 * of bpf/{parse,exclude,key}.bpf.h behind a name that C++ can call. Nothing is decided here.
 */
#ifndef FLOWTALLY_TESTS_PARSER_UNDER_TEST_H
#define FLOWTALLY_TESTS_PARSER_UNDER_TEST_H

#include "bpf/packet.bpf.h"
#include "flowtally/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The most extension headers that the parser walks (FT_EXTENSIONS_MAX of parse.bpf.h). */
__u32 parser_under_test_extensions_max(void);

/* `bytes` must hold `len` bytes and no more is read. `packet` is zeroed first. */
enum ft_unparsed parser_under_test_parse(const __u8* bytes, __u32 len, __u32 gso_size,
                                         struct ft_packet* packet);
enum ft_excluded parser_under_test_excluded(const struct ft_packet* packet, enum ft_direction direction);

void parser_under_test_key4(const struct ft_packet* packet, enum ft_direction direction,
                            struct ft_flow4_key* key);
void parser_under_test_key6(const struct ft_packet* packet, enum ft_direction direction,
                            struct ft_flow6_key* key);
void parser_under_test_key_coarse(const struct ft_packet* packet, enum ft_direction direction,
                                  struct ft_coarse_key* key);

#ifdef __cplusplus
}
#endif

#endif
