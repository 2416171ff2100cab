// This file is the index of a sealed segment, in bytes. A sealed segment is: zstd frames of lines, then one
// skippable frame (which every zstd tool passes over) with this index, which ends with a trailer of fixed
// size. docs/formats/journal.md has the tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "journal/entry.hpp"

namespace flowtally::journal {

/// Raw bytes of a frame: lines are added while they fit, and no line is longer.
inline constexpr std::size_t kFrameRawBytesMax = kLineBytesMax;
inline constexpr std::size_t kFrameRecordsMax = 65'536;
/// Frames of a segment; a larger number is damage.
inline constexpr std::size_t kFramesMax = 65'536;
/// All of the index of a sealed segment; a larger one is damage.
inline constexpr std::size_t kSealedIndexBytesMax = std::size_t{256} << 20U;

inline constexpr std::uint32_t kSkippableMagic = 0x184D2A5BU;
inline constexpr std::size_t kSkippableHeaderBytes = 8;
inline constexpr std::size_t kFrameInfoBytes = 80;
inline constexpr std::size_t kTrailerBytes = 136;
/// So many last bytes of a file are looked at: a newer version may have a longer trailer.
inline constexpr std::size_t kTrailerLookBytes = 4096;

/// One zstd frame of lines.
struct FrameInfo {
  std::uint64_t offset = 0;        ///< in the file
  std::uint32_t stored_bytes = 0;  ///< compressed
  std::uint32_t raw_bytes = 0;
  Sequence first = 0;
  std::uint32_t records = 0;
  std::uint32_t filter_bytes = 0;
  std::uint64_t filter_offset = 0;  ///< in the index
  std::uint64_t table_offset = 0;   ///< in the index: the zstd frame of the lengths and times of the records
  std::uint32_t table_bytes = 0;
  std::uint32_t reserved = 0;
  std::int64_t start_ns = 0;  ///< earliest
  std::int64_t end_ns = 0;    ///< latest
  std::uint64_t raw_hash = 0;

  [[nodiscard]] Sequence next() const noexcept { return first + records; }
};

/// What a row of a frame's table says of one record.
struct RecordRow {
  std::uint32_t length = 0;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};
inline constexpr std::size_t kRecordRowBytes = 20;

struct Trailer {
  std::uint64_t index_offset = 0;  ///< of the skippable frame's content, in the file
  std::uint64_t index_bytes = 0;   ///< of it, without the trailer
  std::uint64_t index_hash = 0;
  std::uint32_t frames = 0;
  Sequence first = 0;
  Sequence next = 0;          ///< after the last record, lost ones included
  std::uint64_t records = 0;  ///< that are in frames
  std::uint64_t raw_bytes = 0;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::optional<RecordKey> last_key{};
};

void encode_frame_info(const FrameInfo& info, std::string& out);
[[nodiscard]] FrameInfo decode_frame_info(std::string_view bytes);

[[nodiscard]] std::string encode_trailer(const Trailer& trailer);
/// kCorrupt, or kUnsupported if a newer version wrote it. `bytes` are the last of the file.
[[nodiscard]] base::Result<Trailer> decode_trailer(std::string_view bytes);

/// Tables of rows, not compressed.
[[nodiscard]] std::string encode_rows(const std::vector<RecordRow>& rows);
/// kCorrupt if they are not so many or their lengths do not add up to `raw_bytes`.
[[nodiscard]] base::Result<std::vector<RecordRow>> decode_rows(std::string_view bytes, std::size_t records,
                                                               std::uint64_t raw_bytes);

/// The frames of an index of so many bytes, checked so that no later use can go out of bounds: each within
/// the file, filter and table within the index, numbers in order and within the trailer's.
[[nodiscard]] base::Result<std::vector<FrameInfo>> decode_frames(std::string_view index,
                                                                 const Trailer& trailer);

}  // namespace flowtally::journal
