#include "journal/sealed_format.hpp"

#include <fmt/format.h>

#include "base/check.hpp"
#include "journal/bytes.hpp"
#include "journal/index_format.hpp"
#include "journal/term_filter.hpp"

namespace flowtally::journal {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::string_view kMagic = "FTSEALED";
constexpr std::size_t kSummedTrailerBytes = kTrailerBytes - 8;
constexpr std::uint64_t kHasLastKey = 1;

std::unexpected<Error> damaged(std::string what) { return fail(Error(ErrorCode::kCorrupt, std::move(what))); }

}  // namespace

void encode_frame_info(const FrameInfo& info, std::string& out) {
  const std::size_t begin = out.size();
  put(out, info.offset);
  put(out, info.stored_bytes);
  put(out, info.raw_bytes);
  put(out, info.first);
  put(out, info.records);
  put(out, info.filter_bytes);
  put(out, info.filter_offset);
  put(out, info.table_offset);
  put(out, info.table_bytes);
  put(out, info.reserved);
  put(out, info.start_ns);
  put(out, info.end_ns);
  put(out, info.raw_hash);
  FLOWTALLY_CHECK(out.size() - begin == kFrameInfoBytes);
}

FrameInfo decode_frame_info(std::string_view bytes) {
  ByteReader reader(bytes);
  FrameInfo info;
  reader.take(info.offset);
  reader.take(info.stored_bytes);
  reader.take(info.raw_bytes);
  reader.take(info.first);
  reader.take(info.records);
  reader.take(info.filter_bytes);
  reader.take(info.filter_offset);
  reader.take(info.table_offset);
  reader.take(info.table_bytes);
  reader.take(info.reserved);
  reader.take(info.start_ns);
  reader.take(info.end_ns);
  reader.take(info.raw_hash);
  return info;
}

std::string encode_trailer(const Trailer& trailer) {
  const RecordKey key = trailer.last_key.value_or(RecordKey{});
  std::string out;
  put(out, trailer.index_offset);
  put(out, trailer.index_bytes);
  put(out, trailer.index_hash);
  put(out, trailer.frames);
  put(out, std::uint32_t{0});
  put(out, trailer.first);
  put(out, trailer.next);
  put(out, trailer.records);
  put(out, trailer.raw_bytes);
  put(out, trailer.start_ns);
  put(out, trailer.end_ns);
  put(out, key.boot_hash);
  put(out, key.epoch);
  put(out, key.part);
  put(out, key.parts);
  put(out, trailer.last_key ? kHasLastKey : std::uint64_t{0});
  put(out, static_cast<std::uint32_t>(kTrailerBytes));
  put(out, kJournalVersion);
  out += kMagic;
  FLOWTALLY_CHECK(out.size() == kSummedTrailerBytes);
  put(out, checksum(out));
  return out;
}

Result<Trailer> decode_trailer(std::string_view bytes) {
  // In every version the last of the file are: length of the trailer, version, magic, checksum of the
  // trailer.
  constexpr std::size_t kEndBytes = 24;
  if (bytes.size() < kEndBytes || bytes.substr(bytes.size() - 16, 8) != kMagic)
    return damaged("it does not end as a sealed segment does");
  ByteReader ending(bytes.substr(bytes.size() - kEndBytes));
  const auto length = ending.take<std::uint32_t>();
  const auto version = ending.take<std::uint32_t>();
  ending.skip(kMagic.size());
  if (length < kEndBytes || length > bytes.size()) return damaged("its trailer is damaged");
  bytes = bytes.substr(bytes.size() - length);
  if (ending.take<std::uint64_t>() != checksum(bytes.substr(0, length - sizeof(std::uint64_t))))
    return damaged("its trailer is damaged");
  if (version > kJournalVersion) {
    return fail(
        Error(ErrorCode::kUnsupported,
              fmt::format("it has version {} of the format; this program knows {}", version, kJournalVersion))
            .advise("Use the newer program that wrote it, or another state directory"));
  }
  if (length != kTrailerBytes || version == 0) return damaged("its trailer is damaged");
  ByteReader reader(bytes);
  Trailer trailer;
  reader.take(trailer.index_offset);
  reader.take(trailer.index_bytes);
  reader.take(trailer.index_hash);
  reader.take(trailer.frames);
  reader.skip(sizeof(std::uint32_t));
  reader.take(trailer.first);
  reader.take(trailer.next);
  reader.take(trailer.records);
  reader.take(trailer.raw_bytes);
  reader.take(trailer.start_ns);
  reader.take(trailer.end_ns);
  RecordKey key;
  reader.take(key.boot_hash);
  reader.take(key.epoch);
  reader.take(key.part);
  reader.take(key.parts);
  if (reader.take<std::uint64_t>() == kHasLastKey) trailer.last_key = key;
  if (trailer.frames > kFramesMax || trailer.index_bytes > kSealedIndexBytesMax ||
      trailer.next < trailer.first || trailer.next - trailer.first < trailer.records)
    return damaged("its trailer contradicts itself");
  return trailer;
}

std::string encode_rows(const std::vector<RecordRow>& rows) {
  std::string out;
  out.reserve(rows.size() * kRecordRowBytes);
  for (const RecordRow& row : rows) {
    put(out, row.length);
    put(out, row.start_ns);
    put(out, row.end_ns);
  }
  return out;
}

Result<std::vector<RecordRow>> decode_rows(std::string_view bytes, std::size_t records,
                                           std::uint64_t raw_bytes) {
  if (bytes.size() != records * kRecordRowBytes) return damaged("the table of a frame is damaged");
  std::vector<RecordRow> rows(records);
  ByteReader reader(bytes);
  std::uint64_t sum = 0;
  for (RecordRow& row : rows) {
    reader.take(row.length);
    reader.take(row.start_ns);
    reader.take(row.end_ns);
    sum += row.length;
  }
  if (sum != raw_bytes) return damaged("the table of a frame is damaged");
  return rows;
}

Result<std::vector<FrameInfo>> decode_frames(std::string_view index, const Trailer& trailer) {
  if (index.size() != trailer.index_bytes || index.size() < trailer.frames * kFrameInfoBytes ||
      checksum(index) != trailer.index_hash)
    return damaged("its index is damaged");
  std::vector<FrameInfo> frames;
  frames.reserve(trailer.frames);
  Sequence next = trailer.first;
  const auto within = [&](std::uint64_t offset, std::uint64_t bytes) {
    return bytes <= index.size() && offset <= index.size() - bytes;
  };
  for (std::size_t at = 0; at < trailer.frames; ++at) {
    const FrameInfo info = decode_frame_info(index.substr(at * kFrameInfoBytes, kFrameInfoBytes));
    const bool stored = info.stored_bytes <= trailer.index_offset &&
                        info.offset <= trailer.index_offset - info.stored_bytes &&
                        info.stored_bytes <= 2 * kFrameRawBytesMax;
    const bool raw =
        info.raw_bytes <= kFrameRawBytesMax && info.records <= kFrameRecordsMax && info.records > 0;
    const bool numbers = info.first >= next && info.first <= trailer.next && info.next() <= trailer.next;
    if (!stored || !raw || !numbers || !within(info.filter_offset, info.filter_bytes) ||
        !within(info.table_offset, info.table_bytes) || info.filter_bytes > kFilterBytesMax)
      return damaged("its index contradicts itself");
    next = info.next();
    frames.push_back(info);
  }
  return frames;
}

}  // namespace flowtally::journal
