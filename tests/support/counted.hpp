// This file is what the BPF program has counted, read out of its maps: plain values, and as text to compare
// and to print.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flowtally/abi.h"
#include "support/packet_builder.hpp"

namespace flowtally::support {

struct FlowEntry {
  std::uint8_t family = 0;
  AddressBytes local{};
  AddressBytes remote{};
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  std::uint8_t proto = 0;
  ft_counters counters{};
};

struct CoarseEntry {
  std::uint8_t family = 0;
  AddressBytes remote{};
  std::uint8_t proto = 0;
  ft_counters counters{};
};

/// Everything one generation has counted, summed over the CPUs.
struct Counted {
  std::vector<FlowEntry> flows;
  std::vector<CoarseEntry> coarse;
  ft_totals totals{};
  ft_rest rest{};
};

/// Everything that is not zero, one item a line, in an order that does not depend on the maps: two are equal
/// where their descriptions are.
[[nodiscard]] std::string describe(const Counted& counted);

}  // namespace flowtally::support
