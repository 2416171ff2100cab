#include "journal/raw_segment.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "journal/bytes.hpp"
#include "journal/names.hpp"

namespace flowtally::journal {

using base::fail;
using base::Result;

namespace {

constexpr std::size_t kEntriesAtOnce = 1024;

/// Fills `bytes` as far as the file goes.
base::Status read_up_to(File& file, std::uint64_t offset, std::string& bytes, std::size_t want) {
  bytes.resize(want);
  std::size_t have = 0;
  while (have < want) {
    const auto got = file.read_at(offset + have, std::span(bytes).subspan(have));
    if (!got) {
      bytes.clear();
      return fail(got.error());
    }
    if (*got == 0) break;
    have += *got;
  }
  bytes.resize(have);
  return {};
}

}  // namespace

Result<RawSegment> RawSegment::open(FileSystem& files, const std::string& directory, Sequence first) {
  auto index = files.open(segment_path(directory, first, kIndexSuffix), OpenMode::kRead);
  if (!index) return fail(std::move(index.error()));
  auto lines = files.open(segment_path(directory, first, kLinesSuffix), OpenMode::kRead);
  if (!lines) return fail(std::move(lines.error()));
  RawSegment segment(first, std::move(*index), std::move(*lines));
  std::string bytes;
  if (auto read = read_up_to(*segment.index_, 0, bytes, kIndexHeaderBytes); !read)
    return fail(std::move(read.error()));
  auto header = decode_header(bytes);
  if (!header)
    return fail(std::move(header.error()).during("read " + segment_path(directory, first, kIndexSuffix)));
  segment.header_ = *header;
  return segment;
}

Result<std::uint64_t> RawSegment::published() {
  std::string bytes;
  if (auto done = read_up_to(*index_, kPublishedOffset, bytes, kPublishedBytes); !done)
    return fail(std::move(done.error()));
  // Half a write: the number that was read last still holds.
  const auto read = decode_published(bytes);
  if (read && *read <= kSegmentRecordsMax) published_ = *read;
  return published_;
}

Result<RawSegment::Record> RawSegment::read_entry(std::uint64_t position) {
  FLOWTALLY_CHECK(position < published_);
  const std::uint64_t have = entries_.size() / kIndexEntryBytes;
  if (position < entries_at_ || position >= entries_at_ + have) {
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(published_ - position, kEntriesAtOnce));
    entries_at_ = position;
    if (auto read = read_up_to(*index_, index_bytes(position), entries_, want * kIndexEntryBytes); !read)
      return fail(std::move(read.error()));
  }
  const std::uint64_t at = (position - entries_at_) * kIndexEntryBytes;
  if (at + kIndexEntryBytes > entries_.size()) return Record{.entry = {}, .damaged = true};
  const auto entry = decode_entry(
      std::string_view(entries_).substr(static_cast<std::size_t>(at), kIndexEntryBytes), first_ + position);
  if (!entry) return Record{.entry = {}, .damaged = true};
  return Record{.entry = *entry, .damaged = entry->has(kFlagLost)};
}

Result<std::string_view> RawSegment::line_of(const IndexEntry& entry) {
  const bool here = entry.offset >= text_at_ && entry.end_offset() <= text_at_ + text_.size();
  if (!here) {
    text_at_ = entry.offset;
    const std::size_t want = std::max<std::size_t>(entry.length, kReadBytes);
    if (auto read = read_up_to(*lines_, entry.offset, text_, want); !read)
      return fail(std::move(read.error()));
  }
  const auto at = static_cast<std::size_t>(entry.offset - text_at_);
  return std::string_view(text_).substr(at, entry.length);  // shorter where the file ends
}

Result<RawSegment::Record> RawSegment::read(std::uint64_t position) {
  auto record = read_entry(position);
  if (!record || record->damaged) return record;
  // Twice: what was read ahead of the published end may have been half a batch that is whole by now.
  for (int look = 0; look < 2; ++look) {
    const auto line = line_of(record->entry);
    if (!line) return fail(line.error());
    record->line = *line;
    record->damaged = line->size() != record->entry.length || checksum(*line) != record->entry.line_hash;
    if (!record->damaged) break;
    text_.clear();
  }
  if (record->damaged) record->line = {};
  return record;
}

}  // namespace flowtally::journal
