// This file reads sealed segments: which frames there are, which a query can pass over, what is in one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "journal/entry.hpp"
#include "journal/file_system.hpp"
#include "journal/sealed_format.hpp"
#include "journal/term_filter.hpp"

struct ZSTD_DCtx_s;

namespace flowtally::journal {

/// Frees a decompression context of zstd.
struct ZstdReaderFree {
  void operator()(ZSTD_DCtx_s* context) const noexcept;
};

/// The lines of a frame, and the buffers that they are in. Made once and used for any number of frames.
class FrameBuffer {
 public:
  FrameBuffer();

  [[nodiscard]] std::string_view raw() const noexcept { return raw_; }
  [[nodiscard]] const std::vector<RecordRow>& rows() const noexcept { return rows_; }

 private:
  friend class SealedSegment;
  std::unique_ptr<ZSTD_DCtx_s, ZstdReaderFree> context_;
  std::string stored_;
  std::string raw_;
  std::vector<RecordRow> rows_;
};

/// One sealed segment. Reading frames is thread-safe as long as each thread has its own FrameBuffer.
class SealedSegment {
 public:
  /// kUnsupported: a newer version wrote it. kCorrupt: its index is damaged; salvage() may still read it.
  [[nodiscard]] static base::Result<SealedSegment> open(FileSystem& files, const std::string& directory,
                                                        Sequence first);
  /// Only what the last bytes of the file say.
  [[nodiscard]] static base::Result<Trailer> read_trailer(FileSystem& files, const std::string& directory,
                                                          Sequence first);
  /// Without its index: goes from zstd frame to zstd frame and counts lines, up to the first frame that is
  /// damaged; its end is then as far as a segment can go, so that no number is given twice. Times are
  /// unknown, filters empty; numbers are counted from the segment's first, so they are wrong behind records
  /// that were lost before it was sealed.
  [[nodiscard]] static base::Result<SealedSegment> salvage(FileSystem& files, const std::string& directory,
                                                           Sequence first);

  [[nodiscard]] const Trailer& trailer() const noexcept { return trailer_; }
  [[nodiscard]] const std::vector<FrameInfo>& frames() const noexcept { return frames_; }
  [[nodiscard]] TermFilter filter(const FrameInfo& frame) const noexcept;
  /// kCorrupt: the frame is damaged.
  [[nodiscard]] base::Status read(const FrameInfo& frame, FrameBuffer& buffer) const;

 private:
  SealedSegment(std::unique_ptr<File> file, Trailer trailer) : file_(std::move(file)), trailer_(trailer) {}
  [[nodiscard]] base::Status read_rows(const FrameInfo& frame, FrameBuffer& buffer) const;

  std::unique_ptr<File> file_;
  Trailer trailer_;
  std::vector<FrameInfo> frames_;
  std::string index_;  // empty: salvaged
};

}  // namespace flowtally::journal
