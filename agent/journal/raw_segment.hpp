// This file reads the files of an open segment, while somebody may be writing them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "journal/entry.hpp"
#include "journal/file_system.hpp"
#include "journal/index_format.hpp"

namespace flowtally::journal {

/// Reads one record after the other, from memory of at most kReadBytes and the longest line. Not thread-safe.
class RawSegment {
 public:
  [[nodiscard]] static base::Result<RawSegment> open(FileSystem& files, const std::string& directory,
                                                     Sequence first);

  [[nodiscard]] Sequence first() const noexcept { return first_; }
  [[nodiscard]] std::optional<RecordKey> previous_key() const noexcept { return header_.previous_key; }
  /// How many records readers may see now; asks the file.
  [[nodiscard]] base::Result<std::uint64_t> published();
  /// False: the files were replaced or removed, and a new look at the directory is due at the end of these.
  [[nodiscard]] base::Result<bool> current() { return index_->has_name(); }

  struct Record {
    IndexEntry entry;
    std::string_view line{};  ///< until the next call
    bool damaged = false;     ///< entry or line does not have its checksum, or is marked as lost
  };
  /// The record at `position`, which is below published(). An Error only if reading fails.
  [[nodiscard]] base::Result<Record> read(std::uint64_t position);
  /// Only its entry; `damaged` as far as the entry tells.
  [[nodiscard]] base::Result<Record> read_entry(std::uint64_t position);

 private:
  RawSegment(Sequence first, std::unique_ptr<File> index, std::unique_ptr<File> lines)
      : first_(first), index_(std::move(index)), lines_(std::move(lines)) {}
  [[nodiscard]] base::Result<std::string_view> line_of(const IndexEntry& entry);

  Sequence first_ = 0;
  std::unique_ptr<File> index_;
  std::unique_ptr<File> lines_;
  IndexHeader header_;
  std::uint64_t published_ = 0;
  std::string entries_;  // of records from entries_at_ on
  std::uint64_t entries_at_ = 0;
  std::string text_;  // of the lines file from text_at_ on
  std::uint64_t text_at_ = 0;
};

inline constexpr std::size_t kReadBytes = std::size_t{256} << 10U;

}  // namespace flowtally::journal
