// This file is the writer's side of a journal: one log of records on disk, appended to by one process, sealed
// and shortened behind its back, read by anybody (journal/reader.hpp). docs/formats/journal.md has the files.
//
// Threads: append(), sync() and last_key() belong to one thread, seal_one() and retain() to one other;
// state() may be called by any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "journal/entry.hpp"
#include "journal/file_system.hpp"
#include "journal/open_segment.hpp"
#include "journal/recovery_report.hpp"
#include "journal/seal.hpp"
#include "journal/segment_list.hpp"

namespace flowtally::journal {

enum class SyncPolicy : std::uint8_t {
  kEachBatch,  ///< what append() has acknowledged survives the machine
  kInterval,   ///< it survives the process; the machine once `sync_interval_ms` have passed and one more
               ///< append
  kNever,      ///< it survives the process; the machine when the kernel has written it by itself
};

struct JournalOptions {
  std::string directory{};
  SyncPolicy sync = SyncPolicy::kEachBatch;
  std::int64_t sync_interval_ms = 1000;
  std::uint64_t segment_bytes_max = std::uint64_t{64} << 20U;  ///< of lines; then it is full
  std::int64_t segment_age_ms_max = 3'600'000;  ///< since its first append; then it is full too
  std::uint64_t retained_bytes_max = std::uint64_t{4} << 30U;  ///< of all files of segments
  std::int64_t retained_age_ms_max = 0;                        ///< 0: any age
  SealOptions seal{};
  Describe describe{};
  std::function<base::Moment()> now = base::now;
};

/// A segment is at most a quarter of what is retained, and at least this.
inline constexpr std::uint64_t kSegmentBytesMin = std::uint64_t{4} << 10U;

struct JournalState {
  Sequence first = 1;  ///< the oldest record that is there; equal to `next` if there is none
  Sequence next = 1;
  std::uint64_t bytes = 0;  ///< of all files of segments
  std::uint64_t segments = 0;
  std::uint64_t full_segments = 0;              ///< of them, waiting to be sealed
  Removed removed{};                            ///< by retention, since the journal began
  std::uint64_t failures = 0;                   ///< of append() and sync() since open()
  std::optional<base::Moment> failing_since{};  ///< nothing while they succeed
  std::string failure{};                        ///< why, of the latest
};

class Journal {
 public:
  /// Locks and recovers. kResource: another process has it. kUnsupported: written by a newer version, left as
  /// it is. `files` must outlive the journal.
  [[nodiscard]] static base::Result<Journal> open(JournalOptions options,
                                                  FileSystem& files = posix_file_system());
  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  /// What open() had to do.
  [[nodiscard]] const RecoveryReport& recovery() const noexcept;

  /// All records of a batch, at once or not at all; as a rule those of one window. With an Error nothing of
  /// it is in the journal, and the next call tries anew: the journal heals by itself when the disk does. Only
  /// where the Error came and then the process ended, the batch may be found whole by the next open(): ask
  /// last_key(). kInvalidArgument: an empty batch, or a line or batch beyond the limits of journal/entry.hpp.
  [[nodiscard]] base::Result<SequenceRange> append(std::span<const Entry> batch);
  /// For SyncPolicy::kInterval and kNever: what was appended is on the disk then.
  [[nodiscard]] base::Status sync();
  /// The key of the last record; nothing if there is none, or if it was damaged.
  [[nodiscard]] std::optional<RecordKey> last_key() const;

  /// Seals the oldest full segment; nothing if there is none, or if it was told to stop meanwhile. Takes
  /// about half a second for 64 MiB.
  [[nodiscard]] base::Result<std::optional<SealedFile>> seal_one(const std::stop_token& stop = {});
  /// Removes the oldest segments beyond the limits of size and age, never the newest; what it removed. An
  /// Error may come after some were: state() has counted them.
  [[nodiscard]] base::Result<Removed> retain();

  [[nodiscard]] JournalState state() const;

 private:
  struct Inner;
  explicit Journal(std::unique_ptr<Inner> inner);

  std::unique_ptr<Inner> inner_;  // has a mutex, and so cannot move itself
};

}  // namespace flowtally::journal
