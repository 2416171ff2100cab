#include "journal/open_segment.hpp"

#include <algorithm>
#include <utility>

#include "journal/bytes.hpp"
#include "journal/names.hpp"

namespace flowtally::journal {

using base::fail;
using base::Result;
using base::Status;

OpenSegment::OpenSegment(std::unique_ptr<File> lines, std::unique_ptr<File> index, SegmentEnd end)
    : lines_(std::move(lines)), index_(std::move(index)), end_(end) {}

Result<OpenSegment> OpenSegment::create(FileSystem& files, const std::string& directory,
                                        const IndexHeader& header) {
  auto index = files.open(segment_path(directory, header.first, kIndexSuffix), OpenMode::kCreate);
  if (!index) return fail(std::move(index.error()));
  if (auto written = write_all(**index, 0, encode_header(header, 0)); !written)
    return fail(std::move(written.error()));
  if (auto synced = (*index)->sync(); !synced) return fail(std::move(synced.error()));
  auto lines = files.open(segment_path(directory, header.first, kLinesSuffix), OpenMode::kCreate);
  if (!lines) return fail(std::move(lines.error()));
  if (auto synced = files.sync_directory(directory); !synced) return fail(std::move(synced.error()));
  return OpenSegment(std::move(*lines), std::move(*index),
                     {.first = header.first, .last_key = header.previous_key});
}

Result<OpenSegment> OpenSegment::resume(FileSystem& files, const std::string& directory,
                                        const SegmentEnd& end) {
  auto index = files.open(segment_path(directory, end.first, kIndexSuffix), OpenMode::kWrite);
  if (!index) return fail(std::move(index.error()));
  auto lines = files.open(segment_path(directory, end.first, kLinesSuffix), OpenMode::kWrite);
  if (!lines) return fail(std::move(lines.error()));
  OpenSegment segment(std::move(*lines), std::move(*index), end);
  // What recovery found may be on its way to the disk only; readers are told of what is there.
  if (auto synced = segment.sync(); !synced) return fail(std::move(synced.error()));
  if (auto published = segment.publish(end.records); !published) return fail(std::move(published.error()));
  return segment;
}

Status OpenSegment::publish(std::uint64_t records) {
  return write_all(*index_, kPublishedOffset, encode_published(records));
}

Status OpenSegment::sync() {
  // A batch that failed must not come back to life in a segment that another one follows.
  if (half_written_) {
    if (auto cut_off = cut(); !cut_off) return cut_off;
  }
  if (auto synced = lines_->sync(); !synced) return synced;
  return index_->sync();
}

Status OpenSegment::cut() {
  // The number first: a write that failed may have arrived all the same.
  if (auto published = publish(end_.records); !published) return published;
  if (auto cut = lines_->truncate(end_.line_bytes); !cut) return cut;
  if (auto cut = index_->truncate(index_bytes(end_.records)); !cut) return cut;
  half_written_ = false;
  return {};
}

Status OpenSegment::write(std::span<const Entry> batch, bool sync) {
  SegmentEnd end = end_;
  std::string lines;
  std::string entries;
  entries.reserve(batch.size() * kIndexEntryBytes);
  std::uint64_t written_to = end.line_bytes;
  for (const Entry& record : batch) {
    const IndexEntry entry{.offset = end.line_bytes,
                           .length = static_cast<std::uint32_t>(record.line.size()),
                           .flags = (&record == &batch.front() ? std::uint32_t{kFlagFirst} : 0U) |
                                    (&record == &batch.back() ? std::uint32_t{kFlagLast} : 0U),
                           .start_ns = record.start_ns,
                           .end_ns = record.end_ns,
                           .key = record.key,
                           .line_hash = checksum(record.line)};
    encode_entry(entry, end.next(), entries);
    lines += record.line;
    end.line_bytes += record.line.size();
    end.start_ns = end.records == 0 ? record.start_ns : std::min(end.start_ns, record.start_ns);
    end.end_ns = end.records == 0 ? record.end_ns : std::max(end.end_ns, record.end_ns);
    end.last_key = record.key;
    ++end.records;
    if (lines.size() >= kWriteBytes || &record == &batch.back()) {
      if (auto written = write_all(*lines_, written_to, lines); !written) return written;
      written_to = end.line_bytes;
      lines.clear();
    }
  }
  if (sync) {
    if (auto synced = lines_->sync(); !synced) return synced;
  }
  if (auto written = write_all(*index_, index_bytes(end_.records), entries); !written) return written;
  if (sync) {
    if (auto synced = index_->sync(); !synced) return synced;
  }
  if (auto published = publish(end.records); !published) return published;
  end_ = end;
  return {};
}

Status OpenSegment::append(std::span<const Entry> batch, bool sync) {
  if (half_written_) {
    if (auto cut_off = cut(); !cut_off)
      return fail(std::move(cut_off.error()).during("cut off half a batch"));
  }
  auto written = write(batch, sync);
  if (written) return written;
  half_written_ = true;
  // At once, so that the room is there for others and the files look right; if it fails, the next append
  // begins with it.
  static_cast<void>(cut());
  return written;
}

}  // namespace flowtally::journal
