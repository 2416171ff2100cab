#include "journal/seal.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <zstd.h>

#include "journal/bytes.hpp"
#include "journal/names.hpp"
#include "journal/raw_segment.hpp"
#include "journal/term_filter.hpp"

namespace flowtally::journal {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

struct ZstdWriterFree {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};

class Sealer {
 public:
  Sealer(std::unique_ptr<File> file, Sequence first, const SealOptions& options)
      : file_(std::move(file)), options_(options), context_(ZSTD_createCCtx()) {
    trailer_.first = first;
    static_cast<void>(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, options.zstd_level));
    // The index has a checksum of each frame; this one is for zstdcat, and for where the index is damaged.
    static_cast<void>(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1));
    sink_ = [this](std::uint64_t term) { terms_.add(term); };
  }

  [[nodiscard]] Status add(Sequence sequence, const IndexEntry& entry, std::string_view line) {
    const bool follows = frame_.next() == sequence;
    if (!rows_.empty() &&
        (!follows || raw_.size() + line.size() > kFrameRawBytesMax || rows_.size() == kFrameRecordsMax)) {
      if (auto ended = end_frame(); !ended) return ended;
    }
    if (rows_.empty()) {
      frame_ = {.first = sequence, .start_ns = entry.start_ns, .end_ns = entry.end_ns};
    }
    raw_ += line;
    rows_.push_back({.length = entry.length, .start_ns = entry.start_ns, .end_ns = entry.end_ns});
    ++frame_.records;
    frame_.start_ns = std::min(frame_.start_ns, entry.start_ns);
    frame_.end_ns = std::max(frame_.end_ns, entry.end_ns);
    if (options_.terms_of) options_.terms_of(line, sink_);
    return {};
  }

  /// `next` is the number behind the last record.
  [[nodiscard]] Result<SealedFile> finish(Sequence next, const std::optional<RecordKey>& last_key);

 private:
  [[nodiscard]] Status end_frame();
  [[nodiscard]] Status compress(std::string_view raw, std::string& out);

  std::unique_ptr<File> file_;
  const SealOptions& options_;
  std::unique_ptr<ZSTD_CCtx, ZstdWriterFree> context_;
  TermSink sink_;
  Trailer trailer_;
  std::uint64_t offset_ = 0;
  FrameInfo frame_;
  std::string raw_;
  std::string stored_;
  std::vector<RecordRow> rows_;
  TermFilterBuilder terms_;
  std::vector<FrameInfo> frames_;  // offsets of filter and table within blobs_ until finish()
  std::string blobs_;
};

Status Sealer::compress(std::string_view raw, std::string& out) {
  out.resize(ZSTD_compressBound(raw.size()));
  const std::size_t bytes = ZSTD_compress2(context_.get(), out.data(), out.size(), raw.data(), raw.size());
  if (ZSTD_isError(bytes) != 0)
    return fail(Error(ErrorCode::kResource, fmt::format("compress: {}", ZSTD_getErrorName(bytes))));
  out.resize(bytes);
  return {};
}

Status Sealer::end_frame() {
  if (frames_.size() == kFramesMax)
    return fail(Error(ErrorCode::kResource, "the segment has too many frames"));
  if (auto done = compress(raw_, stored_); !done) return done;
  if (auto written = write_all(*file_, offset_, stored_); !written) return written;
  frame_.offset = offset_;
  frame_.stored_bytes = static_cast<std::uint32_t>(stored_.size());
  frame_.raw_bytes = static_cast<std::uint32_t>(raw_.size());
  frame_.raw_hash = checksum(raw_);
  offset_ += stored_.size();

  const std::string filter = options_.terms_of ? terms_.build() : std::string();
  frame_.filter_offset = blobs_.size();
  frame_.filter_bytes = static_cast<std::uint32_t>(filter.size());
  blobs_ += filter;
  if (auto done = compress(encode_rows(rows_), stored_); !done) return done;
  frame_.table_offset = blobs_.size();
  frame_.table_bytes = static_cast<std::uint32_t>(stored_.size());
  blobs_ += stored_;

  const bool first = frames_.empty();
  trailer_.start_ns = first ? frame_.start_ns : std::min(trailer_.start_ns, frame_.start_ns);
  trailer_.end_ns = first ? frame_.end_ns : std::max(trailer_.end_ns, frame_.end_ns);
  trailer_.records += frame_.records;
  trailer_.raw_bytes += raw_.size();
  frames_.push_back(frame_);
  raw_.clear();
  rows_.clear();
  return {};
}

Result<SealedFile> Sealer::finish(Sequence next, const std::optional<RecordKey>& last_key) {
  if (!rows_.empty()) {
    if (auto ended = end_frame(); !ended) return fail(std::move(ended.error()));
  }
  std::string index;
  const std::uint64_t infos = frames_.size() * kFrameInfoBytes;
  for (FrameInfo info : frames_) {
    info.filter_offset += infos;
    info.table_offset += infos;
    encode_frame_info(info, index);
  }
  index += blobs_;
  trailer_.index_offset = offset_ + kSkippableHeaderBytes;
  trailer_.index_bytes = index.size();
  trailer_.index_hash = checksum(index);
  trailer_.frames = static_cast<std::uint32_t>(frames_.size());
  trailer_.next = next;
  trailer_.last_key = last_key;
  index += encode_trailer(trailer_);
  std::string header;
  put(header, kSkippableMagic);
  put(header, static_cast<std::uint32_t>(index.size()));
  if (auto written = write_all(*file_, offset_, header + index); !written)
    return fail(std::move(written.error()));
  if (auto synced = file_->sync(); !synced) return fail(std::move(synced.error()));
  return SealedFile{.trailer = trailer_,
                    .bytes = offset_ + header.size() + index.size(),
                    .lost = next - trailer_.first - trailer_.records};
}

Result<std::optional<SealedFile>> write_aside(FileSystem& files, const std::string& aside, RawSegment& raw,
                                              const SealOptions& options, const std::stop_token& stop) {
  const auto records = raw.published();
  if (!records) return fail(records.error());
  auto file = files.open(aside, OpenMode::kCreate);
  if (!file) return fail(std::move(file.error()));
  Sealer sealer(std::move(*file), raw.first(), options);
  std::optional<RecordKey> last_key = raw.previous_key();
  for (std::uint64_t position = 0; position < *records; ++position) {
    if (stop.stop_requested()) return std::nullopt;
    const auto record = raw.read(position);
    if (!record) return fail(record.error());
    last_key = std::nullopt;
    if (record->damaged) continue;
    if (!record->entry.has(kFlagKeyUnknown)) last_key = record->entry.key;
    if (auto added = sealer.add(raw.first() + position, record->entry, record->line); !added)
      return fail(std::move(added.error()));
  }
  auto sealed = sealer.finish(raw.first() + *records, last_key);
  if (!sealed) return fail(std::move(sealed.error()));
  return *sealed;
}

}  // namespace

Status remove_raw(FileSystem& files, const std::string& directory, Sequence first) {
  for (const std::string_view suffix : {kLinesSuffix, kIndexSuffix}) {
    auto removed = files.remove(segment_path(directory, first, suffix));
    if (!removed && removed.error().code() != ErrorCode::kNotFound) return removed;
  }
  return {};
}

Result<std::optional<SealedFile>> seal_segment(FileSystem& files, const std::string& directory,
                                               Sequence first, const SealOptions& options,
                                               const std::stop_token& stop) {
  const std::string path = segment_path(directory, first, kSealedSuffix);
  const std::string aside = path + std::string(kAsideSuffix);
  const auto failed = [&](Error error) {
    static_cast<void>(files.remove(aside));  // its room may be what the journal lacks
    return fail(std::move(error).during("seal " + path));
  };
  auto raw = RawSegment::open(files, directory, first);
  if (!raw) return failed(std::move(raw.error()));
  auto sealed = write_aside(files, aside, *raw, options, stop);
  if (!sealed) return failed(std::move(sealed.error()));
  if (!*sealed) {
    static_cast<void>(files.remove(aside));
    return sealed;
  }
  if (auto renamed = files.rename(aside, path); !renamed) return failed(std::move(renamed.error()));
  if (auto synced = files.sync_directory(directory); !synced) return failed(std::move(synced.error()));
  // Sealed it is; files that cannot be removed are removed by the next recovery.
  static_cast<void>(remove_raw(files, directory, first));
  return sealed;
}

}  // namespace flowtally::journal
