// This file is the index beside an open segment, in bytes: a header, then one entry of fixed size for each
// line. docs/formats/journal.md has the table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "journal/entry.hpp"

namespace flowtally::journal {

inline constexpr std::uint32_t kJournalVersion = 1;
inline constexpr std::size_t kIndexHeaderBytes = 88;
inline constexpr std::size_t kIndexEntryBytes = 72;
/// Where in the header the writer says how many records readers may see.
inline constexpr std::uint64_t kPublishedOffset = 72;
inline constexpr std::size_t kPublishedBytes = 16;

/// Flags of an index entry.
enum : std::uint32_t {
  kFlagFirst = 1,       ///< the batch begins here
  kFlagLast = 2,        ///< the batch ends here
  kFlagLost = 4,        ///< there was such a record, but its line is damaged
  kFlagKeyUnknown = 8,  ///< rebuilt from the line, which nobody could describe
};

struct IndexHeader {
  Sequence first = 0;
  std::optional<RecordKey> previous_key{};  ///< of the last record before this segment
};

struct IndexEntry {
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  std::uint32_t flags = 0;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  RecordKey key{};
  std::uint64_t line_hash = 0;

  [[nodiscard]] bool has(std::uint32_t flag) const noexcept { return (flags & flag) != 0; }
  [[nodiscard]] std::uint64_t end_offset() const noexcept { return offset + length; }
  friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};

[[nodiscard]] constexpr std::uint64_t index_bytes(std::uint64_t records) noexcept {
  return kIndexHeaderBytes + records * kIndexEntryBytes;
}

/// With `published` records for readers.
[[nodiscard]] std::string encode_header(const IndexHeader& header, std::uint64_t published);
/// kCorrupt: no header of ours, or damaged. kUnsupported: written by a newer version.
[[nodiscard]] base::Result<IndexHeader> decode_header(std::string_view bytes);

/// The field at kPublishedOffset: the number and its complement, so that half a write is seen.
[[nodiscard]] std::string encode_published(std::uint64_t records);
[[nodiscard]] std::optional<std::uint64_t> decode_published(std::string_view bytes);

void encode_entry(const IndexEntry& entry, Sequence sequence, std::string& out);
/// Nothing if it is not the whole and undamaged entry of this very record.
[[nodiscard]] std::optional<IndexEntry> decode_entry(std::string_view bytes, Sequence sequence);

}  // namespace flowtally::journal
