// This file writes the open segment: lines into one file, an entry for each into the index beside it.
//
// The order of an append, and why a crash leaves the whole batch or none of it:
//   1. the lines are written          2. they are synced
//   3. the index entries are written  4. they are synced         (2 and 4 as the policy has it)
//   5. the number of records for readers is written into the index header
// A batch is there when the entry of its last line is whole and every line has the checksum that its entry
// says. Nothing before the end of step 3 looks like that, whatever of it is on the disk in whatever order;
// readers look at step 5 only, so they never see what a crash could take away again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.hpp"
#include "journal/entry.hpp"
#include "journal/file_system.hpp"
#include "journal/index_format.hpp"

namespace flowtally::journal {

/// What recovery found a segment to hold.
struct SegmentEnd {
  Sequence first = 0;
  std::uint64_t records = 0;
  std::uint64_t line_bytes = 0;
  std::int64_t start_ns = 0;  ///< of the earliest and the latest record; 0 if there is none
  std::int64_t end_ns = 0;
  std::optional<RecordKey> last_key{};  ///< of the last record, or of the last one before this segment

  [[nodiscard]] Sequence next() const noexcept { return first + records; }
};

/// Not thread-safe.
class OpenSegment {
 public:
  /// Makes the files: the index with its header first, so that lines never are without one.
  [[nodiscard]] static base::Result<OpenSegment> create(FileSystem& files, const std::string& directory,
                                                        const IndexHeader& header);
  /// Opens the files of a recovered segment and publishes all its records.
  [[nodiscard]] static base::Result<OpenSegment> resume(FileSystem& files, const std::string& directory,
                                                        const SegmentEnd& end);

  /// All of the batch or, with an Error, none: what was written is cut off again, if need be before the next
  /// append. Memory besides the batch: kWriteBytes and 72 bytes for each record.
  [[nodiscard]] base::Status append(std::span<const Entry> batch, bool sync);
  [[nodiscard]] base::Status sync();

  [[nodiscard]] const SegmentEnd& end() const noexcept { return end_; }
  /// Both files.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return end_.line_bytes + index_bytes(end_.records); }

 private:
  OpenSegment(std::unique_ptr<File> lines, std::unique_ptr<File> index, SegmentEnd end);
  [[nodiscard]] base::Status write(std::span<const Entry> batch, bool sync);
  [[nodiscard]] base::Status publish(std::uint64_t records);
  [[nodiscard]] base::Status cut();

  std::unique_ptr<File> lines_;
  std::unique_ptr<File> index_;
  SegmentEnd end_;
  bool half_written_ = false;  ///< bytes of a failed append may stand behind the end
};

/// Lines are written in pieces of about so many bytes.
inline constexpr std::size_t kWriteBytes = std::size_t{1} << 20U;

}  // namespace flowtally::journal
