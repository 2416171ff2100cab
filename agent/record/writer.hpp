// This file makes the text of a record: one line of NDJSON in Tailscale's field order, and the pieces of such
// a line, for window_writer.hpp, which writes large windows without records in between.
// docs/formats/record.md has the grammar.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/classified_window.hpp"
#include "model/record.hpp"

namespace flowtally::record {

struct WriteOptions {
  bool accounting =
      true;  ///< false leaves out the `accounting` object, for consumers that know Tailscale's fields only
};

/// Appends the record as one line with its line end. Takes the record as it is: nothing is sorted, the size
/// is not limited.
void append_record(const model::Record& record, const WriteOptions& options, std::string& out);

/// Room that put_entry() wants. The longest entry has two IPv6 ends, 47 bytes each, and four counters of 20
/// digits.
inline constexpr std::size_t kEntryBytesMax = 247;

/// Writes one element of a traffic array at `to` and returns its end. Zero counters, protocol 0 and ends
/// without an address are left out, as Tailscale leaves them out; an address with port 0 is written.
[[nodiscard]] char* put_entry(const model::Flow& flow, char* to) noexcept;
/// Bytes that put_entry() makes, for a fraction of the time.
[[nodiscard]] std::size_t entry_bytes(const model::Flow& flow) noexcept;

/// What a line begins with, from `{"nodeId"` to the end of the interval.
struct LineHead {
  std::string_view node_id;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

inline constexpr std::string_view kSrcNode = ",\"srcNode\":";
inline constexpr std::string_view kDstNodesBegin = ",\"dstNodes\":[";
/// By model::TrafficClass.
inline constexpr std::array<std::string_view, model::kTrafficClasses> kTrafficBegin = {
    ",\"virtualTraffic\":[", ",\"subnetTraffic\":[", ",\"exitTraffic\":[", ",\"physicalTraffic\":["};
inline constexpr std::string_view kListEnd = "]";
inline constexpr std::string_view kLineEnd = "}\n";

/// In the order in which they stand in a line: the head; kSrcNode and a node; kDstNodesBegin, nodes with
/// commas between, kListEnd; for each class kTrafficBegin, entries with commas between, kListEnd; the
/// accounting; kLineEnd. What would be empty is left out.
void append_head(const LineHead& head, std::string& out);
void append_entry(const model::Flow& flow, std::string& out);
/// `underlay` is written where it was counted; of it `rest` is not.
void append_accounting(const model::Accounting& accounting, std::string& out);

}  // namespace flowtally::record
