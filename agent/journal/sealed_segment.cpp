#include "journal/sealed_segment.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <zstd.h>

#include "journal/bytes.hpp"
#include "journal/names.hpp"

namespace flowtally::journal {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

std::unexpected<Error> damaged(std::string what) { return fail(Error(ErrorCode::kCorrupt, std::move(what))); }

/// Exactly `raw_bytes`, or kCorrupt.
Status decompress(ZSTD_DCtx* context, std::string_view stored, std::string& raw, std::size_t raw_bytes) {
  raw.resize(raw_bytes);
  const std::size_t got = ZSTD_decompressDCtx(context, raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_isError(got) != 0) return damaged(fmt::format("a frame is damaged: {}", ZSTD_getErrorName(got)));
  if (got != raw_bytes) return damaged("a frame has another length than the index says");
  return {};
}

/// Rows of lines of which nothing but the text is known.
std::vector<RecordRow> rows_of_lines(std::string_view raw) {
  std::vector<RecordRow> rows;
  while (!raw.empty()) {
    const std::size_t line_end = raw.find('\n');
    const std::size_t length = line_end == std::string_view::npos ? raw.size() : line_end + 1;
    rows.push_back({.length = static_cast<std::uint32_t>(length),
                    .start_ns = kTimeUnknownStart,
                    .end_ns = kTimeUnknownEnd});
    raw.remove_prefix(length);
  }
  return rows;
}

Result<std::unique_ptr<File>> open_sealed(FileSystem& files, const std::string& directory, Sequence first) {
  return files.open(segment_path(directory, first, kSealedSuffix), OpenMode::kRead);
}

Result<Trailer> trailer_of(File& file, Sequence first) {
  const auto size = file.size();
  if (!size) return fail(size.error());
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(*size, kTrailerLookBytes)), '\0');
  if (auto read = read_all(file, *size - bytes.size(), bytes); !read) return fail(std::move(read.error()));
  auto trailer = decode_trailer(bytes);
  if (!trailer) return trailer;
  const std::uint64_t end = trailer->index_bytes + kTrailerBytes;
  if (trailer->first != first || end > *size || trailer->index_offset != *size - end)
    return damaged("its trailer is of another file");
  return trailer;
}

std::string during_reading(const std::string& directory, Sequence first) {
  return "read " + segment_path(directory, first, kSealedSuffix);
}

}  // namespace

void ZstdReaderFree::operator()(ZSTD_DCtx_s* context) const noexcept { ZSTD_freeDCtx(context); }

FrameBuffer::FrameBuffer() : context_(ZSTD_createDCtx()) {}

Result<Trailer> SealedSegment::read_trailer(FileSystem& files, const std::string& directory, Sequence first) {
  auto file = open_sealed(files, directory, first);
  if (!file) return fail(std::move(file.error()));
  auto trailer = trailer_of(**file, first);
  if (!trailer) return fail(std::move(trailer.error()).during(during_reading(directory, first)));
  return trailer;
}

Result<SealedSegment> SealedSegment::open(FileSystem& files, const std::string& directory, Sequence first) {
  auto file = open_sealed(files, directory, first);
  if (!file) return fail(std::move(file.error()));
  const auto trailer = trailer_of(**file, first);
  if (!trailer) return fail(Error(trailer.error()).during(during_reading(directory, first)));
  SealedSegment segment(std::move(*file), *trailer);
  segment.index_.resize(static_cast<std::size_t>(trailer->index_bytes));
  if (auto read = read_all(*segment.file_, trailer->index_offset, segment.index_); !read)
    return fail(std::move(read.error()).during(during_reading(directory, first)));
  auto frames = decode_frames(segment.index_, *trailer);
  if (!frames) return fail(std::move(frames.error()).during(during_reading(directory, first)));
  segment.frames_ = std::move(*frames);
  return segment;
}

Result<SealedSegment> SealedSegment::salvage(FileSystem& files, const std::string& directory,
                                             Sequence first) {
  auto file = open_sealed(files, directory, first);
  if (!file) return fail(std::move(file.error()));
  const auto size = (*file)->size();
  if (!size) return fail(size.error());
  SealedSegment segment(
      std::move(*file),
      {.first = first, .next = first, .start_ns = kTimeUnknownStart, .end_ns = kTimeUnknownEnd});
  FrameBuffer buffer;
  std::uint64_t offset = 0;
  bool whole = false;  // the index comes next: these are all frames
  while (offset < *size && segment.frames_.size() < kFramesMax) {
    auto& stored = buffer.stored_;
    stored.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(*size - offset, ZSTD_compressBound(kFrameRawBytesMax))));
    if (auto read = read_all(*segment.file_, offset, stored); !read) break;
    whole = ByteReader(stored).take<std::uint32_t>() == kSkippableMagic;
    const auto raw_bytes = ZSTD_getFrameContentSize(stored.data(), stored.size());
    const std::size_t stored_bytes = ZSTD_findFrameCompressedSize(stored.data(), stored.size());
    // The skippable frame of the index has no content, and ends the lines.
    if (raw_bytes == 0 || raw_bytes > kFrameRawBytesMax || ZSTD_isError(stored_bytes) != 0) break;
    FrameInfo info{.offset = offset,
                   .stored_bytes = static_cast<std::uint32_t>(stored_bytes),
                   .raw_bytes = static_cast<std::uint32_t>(raw_bytes),
                   .first = segment.trailer_.next,
                   .start_ns = kTimeUnknownStart,
                   .end_ns = kTimeUnknownEnd};
    const std::string_view frame = std::string_view(stored).substr(0, stored_bytes);
    if (!decompress(buffer.context_.get(), frame, buffer.raw_, info.raw_bytes)) break;
    info.raw_hash = checksum(buffer.raw_);
    info.records = static_cast<std::uint32_t>(std::ranges::count(buffer.raw_, '\n'));
    segment.frames_.push_back(info);
    segment.trailer_.next += info.records;
    segment.trailer_.records += info.records;
    segment.trailer_.raw_bytes += info.raw_bytes;
    offset += stored_bytes;
  }
  if (!whole) segment.trailer_.next = first + kSegmentRecordsMax;
  segment.trailer_.frames = static_cast<std::uint32_t>(segment.frames_.size());
  return segment;
}

TermFilter SealedSegment::filter(const FrameInfo& frame) const noexcept {
  if (index_.empty()) return {};
  return TermFilter(
      std::string_view(index_).substr(static_cast<std::size_t>(frame.filter_offset), frame.filter_bytes));
}

Status SealedSegment::read_rows(const FrameInfo& frame, FrameBuffer& buffer) const {
  if (index_.empty()) {
    buffer.rows_ = rows_of_lines(buffer.raw_);
    return {};
  }
  std::string bytes;
  const std::string_view table =
      std::string_view(index_).substr(static_cast<std::size_t>(frame.table_offset), frame.table_bytes);
  const std::size_t want = frame.records * kRecordRowBytes;
  if (auto read = decompress(buffer.context_.get(), table, bytes, want); !read) return read;
  auto rows = decode_rows(bytes, frame.records, frame.raw_bytes);
  if (!rows) return fail(std::move(rows.error()));
  buffer.rows_ = std::move(*rows);
  return {};
}

Status SealedSegment::read(const FrameInfo& frame, FrameBuffer& buffer) const {
  buffer.stored_.resize(frame.stored_bytes);
  if (auto read = read_all(*file_, frame.offset, buffer.stored_); !read) return read;
  if (auto read = decompress(buffer.context_.get(), buffer.stored_, buffer.raw_, frame.raw_bytes); !read)
    return read;
  if (checksum(buffer.raw_) != frame.raw_hash) return damaged("the lines of a frame are damaged");
  return read_rows(frame, buffer);
}

}  // namespace flowtally::journal
