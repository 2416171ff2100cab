// This file makes the records of a window: one line, or several where one would be longer than receivers
// take.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "model/classified_window.hpp"
#include "record/writer.hpp"

namespace flowtally::record {

/// The longest record, as text with its line end: Tailscale's own limit (wgengine/netlog), which
/// receivers of its records are made for.
inline constexpr std::size_t kRecordBytesMax = 262'144;

/// The longest node id and boot id that are written, in bytes: escaped they still leave room for the traffic.
/// Longer ones are the caller's mistake.
inline constexpr std::size_t kIdentityBytesMax = 1024;

/// Who reports, and since which boot the epochs count.
struct Identity {
  std::string_view node_id;
  std::string_view boot_id;
};

/// Takes one line with its line end; the text is valid during the call only.
using LineSink = std::function<void(std::string_view)>;

/// Calls `sink` for each record of the window, in order. The lists of the window, virtual, subnet, exit and
/// physical, are one sequence that is cut where a record is full: none is longer than kRecordBytesMax. Each
/// record names the nodes that it speaks of: this one, unless nothing is known of it, and the others whose
/// address stands in its entries.
///
/// Sums over the records of a window are those of the window: the totals of all but the last are what they
/// list, the last has the rest of the hook totals and everything else of the accounting. `unmapped` of the
/// window's underlay includes its `rest`.
///
/// An idle window has no record. A window that lists nothing has one record without traffic, or none where
/// the accounting is left out. Besides the window, memory for one line is used, for the plan of the parts and
/// eight bytes for each node that is known.
void write_window(const model::ClassifiedWindow& window, const Identity& identity,
                  const WriteOptions& options, const LineSink& sink);

}  // namespace flowtally::record
