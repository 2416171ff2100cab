// This file sets the BPF program's parser, compiled for user space, beside the reference parser.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>

#include "bpf/packet.bpf.h"
#include "flowtally/abi.h"
#include "support/packet_builder.hpp"
#include "support/reference_parser.hpp"

namespace flowtally::support {

/// What the program's parser makes of exactly these bytes: they are copied to a buffer of their own, so that
/// AddressSanitizer sees a read behind them.
[[nodiscard]] std::expected<ft_packet, ft_unparsed> program_parse(std::span<const std::uint8_t> bytes,
                                                                  std::uint32_t gso_size = 0);

/// What the program's arithmetic counts for one skb without a link header. `packet`: null where it was not
/// parsed.
[[nodiscard]] PacketCount program_count(std::size_t len, const SkbFields& skb, const ft_packet* packet,
                                        ft_direction direction);

/// Parse, exclusion, keys and count of both, in both directions. None where they agree, else what differs and
/// the command that rebuilds the packet.
[[nodiscard]] std::optional<std::string> disagreement(std::span<const std::uint8_t> bytes,
                                                      const SkbFields& skb);

}  // namespace flowtally::support
