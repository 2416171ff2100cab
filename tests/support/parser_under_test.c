#include "parser_under_test.h"

/* In this order: parse.bpf.h reads through what packet_source.h declares. */
/* clang-format off */
#include "packet_source.h"
#include "bpf/exclude.bpf.h"
#include "bpf/key.bpf.h"
#include "bpf/parse.bpf.h"
/* clang-format on */

__u32 parser_under_test_extensions_max(void) { return FT_EXTENSIONS_MAX; }

enum ft_unparsed parser_under_test_parse(const __u8* bytes, __u32 len, __u32 gso_size,
                                         struct ft_packet* packet) {
  const struct ft_source source = {.packet = bytes, .len = len};
  memset(packet, 0, sizeof(*packet));
  return ft_parse(&source, len, gso_size, packet);
}

enum ft_excluded parser_under_test_excluded(const struct ft_packet* packet, enum ft_direction direction) {
  return ft_excluded(packet, direction);
}

void parser_under_test_key4(const struct ft_packet* packet, enum ft_direction direction,
                            struct ft_flow4_key* key) {
  ft_key4(packet, direction, key);
}

void parser_under_test_key6(const struct ft_packet* packet, enum ft_direction direction,
                            struct ft_flow6_key* key) {
  ft_key6(packet, direction, key);
}

void parser_under_test_key_coarse(const struct ft_packet* packet, enum ft_direction direction,
                                  struct ft_coarse_key* key) {
  ft_key_coarse(packet, direction, key);
}
