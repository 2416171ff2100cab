// This file is what a flow-log record is before it is text: Tailscale's netlogtype.Message
// (types/netlogtype), and our `accounting` object. Values, no I/O. docs/formats/record.md has the grammar.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/window.hpp"

namespace flowtally::model {

/// The proof that a record carries. Every counter is that of this record alone, so sums over records are sums
/// over traffic; `totals` = all listed traffic but the physical one + unparsed + excluded + dropped;
/// `underlay.hook` = listed physical traffic + unmapped + disco + stun + other.
struct Accounting {
  std::string boot_id{};    ///< kernel's random boot id; with the epoch it names a generation for good
  std::uint64_t epoch = 0;  ///< generation the record was drained from
  std::uint32_t part = 1;   ///< this record is part `part` of `parts` of its window, from 1
  std::uint32_t parts = 1;
  Counters totals{};        ///< all that passed the hook, dropped packets included
  Counters coarse{};        ///< of the window's listed traffic, in the last part: counted without ports
  Counters unparsed{};      ///< not listed: could not be parsed
  Counters excluded{};      ///< not listed: left out as Tailscale does
  Counters dropped{};       ///< not listed: found the device's ring full behind the hook, so never sent
  Counters dropped_late{};  ///< listed in an earlier record, and dropped after it was closed
  std::uint64_t device_dropped = 0;  ///< the device's own count of drops, where they cannot be taken off
  Underlay underlay{};               ///< listed and not, of tailscaled's own traffic; `rest` is in `unmapped`

  friend bool operator==(const Accounting&, const Accounting&) = default;
};

/// A node as a record names it (netlogtype.Node). Empty: not known.
struct RecordNode {
  std::string id{};
  std::string name{};
  std::vector<Address> addresses{};  ///< written: at most one IPv4 and one IPv6 address, in this order
  std::string os{};
  std::string user{};
  std::vector<std::string> tags{};

  friend bool operator==(const RecordNode&, const RecordNode&) = default;
};

/// One record: one line of NDJSON. Times are nanoseconds since 1970-01-01 UTC.
struct Record {
  std::string node_id{};
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::optional<RecordNode> src_node{};
  std::vector<RecordNode> dst_nodes{};
  std::vector<Flow> virtual_traffic{};
  std::vector<Flow> subnet_traffic{};
  std::vector<Flow> exit_traffic{};
  std::vector<Flow> physical_traffic{};
  Accounting accounting{};

  friend bool operator==(const Record&, const Record&) = default;
};

}  // namespace flowtally::model
