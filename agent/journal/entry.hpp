// This file is what goes into the journal and comes out of it, and how much of it: records with a sequence
// number, in batches. The journal deals in lines of bytes and knows nothing of what stands in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace flowtally::journal {

/// The number of a record in its journal: 1, 2, 3 … A number is never given twice.
using Sequence = std::uint64_t;

/// The longest line, with its line end.
inline constexpr std::size_t kLineBytesMax = std::size_t{1} << 20U;
/// The most that one batch may hold.
inline constexpr std::size_t kBatchBytesMax = std::size_t{256} << 20U;
inline constexpr std::size_t kBatchRecordsMax = 65'536;
/// A segment with so many records is full, whatever its size.
inline constexpr std::size_t kSegmentRecordsMax = 262'144;

/// A time that nobody knows: such a record is in every range of time.
inline constexpr std::int64_t kTimeUnknownStart = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kTimeUnknownEnd = std::numeric_limits<std::int64_t>::max();

/// Names a record for good, so that its writer can tell after a crash whether it is in the journal: the part
/// of the window that one generation is.
struct RecordKey {
  std::uint64_t boot_hash = 0;
  std::uint64_t epoch = 0;
  std::uint32_t part = 0;
  std::uint32_t parts = 0;

  friend bool operator==(const RecordKey&, const RecordKey&) = default;
};

/// A record to be appended. `line` ends with its only line end and must live until append() returns.
struct Entry {
  std::string_view line;
  std::int64_t start_ns = 0;  ///< of the window, wall clock
  std::int64_t end_ns = 0;
  RecordKey key{};
};

/// What can be told of a line by whoever knows its form.
struct Description {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  RecordKey key{};
};

/// Reads a line of which the index was lost; nothing if it is no record: then it is damaged, and is lost.
using Describe = std::function<std::optional<Description>(std::string_view line)>;

/// Takes one term of a line: a hash of an address, of a port, of whatever queries ask for.
using TermSink = std::function<void(std::uint64_t term)>;
/// Gives the terms of a line to the sink. Equal things must give equal terms for ever: they are stored.
using TermsOf = std::function<void(std::string_view line, const TermSink& sink)>;

/// Sequence numbers [first, first + count).
struct SequenceRange {
  Sequence first = 0;
  std::uint64_t count = 0;

  friend bool operator==(const SequenceRange&, const SequenceRange&) = default;
};

}  // namespace flowtally::journal
