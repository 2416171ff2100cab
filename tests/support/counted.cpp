#include "support/counted.hpp"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace flowtally::support {
namespace {

std::string describe(const ft_counters& counters) {
  return fmt::format("tx {}/{} rx {}/{}", counters.tx_packets, counters.tx_bytes, counters.rx_packets,
                     counters.rx_bytes);
}

bool any(const ft_counters& counters) {
  return (counters.tx_packets | counters.tx_bytes | counters.rx_packets | counters.rx_bytes) != 0;
}

std::string hex(const AddressBytes& address, std::uint8_t family) {
  return fmt::format("{:02x}", fmt::join(std::span(address).first(family == 4 ? 4 : 16), ""));
}

void describe_totals(const ft_totals& totals, std::vector<std::string>& lines) {
  const std::pair<const char*, const ft_counters&> sums[] = {{"hook", totals.hook},
                                                             {"unparsed", totals.unparsed},
                                                             {"excluded", totals.excluded},
                                                             {"rest", totals.rest}};
  for (const auto& [name, counters] : sums) {
    if (any(counters)) lines.push_back(fmt::format("{}: {}", name, describe(counters)));
  }
  const auto numbers = [&lines](const char* name, std::span<const __u64> counts) {
    for (std::size_t i = 0; i < counts.size(); i++) {
      if (counts[i] != 0) lines.push_back(fmt::format("{} {}: {}", name, i, counts[i]));
    }
  };
  numbers("unparsed reason", totals.unparsed_packets);
  numbers("excluded reason", totals.excluded_packets);
  numbers("flow insert failure", totals.flow_insert_failures);
  numbers("coarse insert failure", totals.coarse_insert_failures);
}

}  // namespace

std::string describe(const Counted& counted) {
  std::vector<std::string> lines;
  for (const FlowEntry& flow : counted.flows) {
    lines.push_back(fmt::format("flow {} {}:{} {}:{} proto {}: {}", flow.family, hex(flow.local, flow.family),
                                flow.local_port, hex(flow.remote, flow.family), flow.remote_port, flow.proto,
                                describe(flow.counters)));
  }
  for (const CoarseEntry& entry : counted.coarse) {
    lines.push_back(fmt::format("coarse {} {} proto {}: {}", entry.family, hex(entry.remote, entry.family),
                                entry.proto, describe(entry.counters)));
  }
  std::ranges::sort(lines);
  for (std::size_t proto = 0; proto < std::size(counted.rest.by_proto); proto++) {
    const ft_counters& counters = counted.rest.by_proto[proto];
    if (any(counters)) lines.push_back(fmt::format("rest proto {}: {}", proto, describe(counters)));
  }
  describe_totals(counted.totals, lines);
  return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace flowtally::support
