// This file makes the records of a window: one line, or several where one would be longer than receivers
// take.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "model/window.hpp"
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

/// Calls `sink` for each record of the window, in order. Flows and coarse flows, each in record order, become
/// one array in record order, which is cut where a record is full: none is longer than kRecordBytesMax. Sums
/// over the records of a window are those of the window: the totals of all but the last are what they list,
/// the last has the rest of the hook totals, and `unparsed` and `excluded`.
///
/// An idle window has no record. A window without a flow has one record without traffic, or none where the
/// accounting is left out. Besides the window, memory for one line is used, whatever the number of flows.
void write_window(const model::Window& window, const Identity& identity, const WriteOptions& options,
                  const LineSink& sink);

}  // namespace flowtally::record
