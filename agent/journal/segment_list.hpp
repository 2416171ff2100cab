// This file makes a directory of segments whole when a journal is opened, and says what it holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "journal/entry.hpp"
#include "journal/file_system.hpp"
#include "journal/open_segment.hpp"
#include "journal/recovery_report.hpp"

namespace flowtally::journal {

/// What retention has removed since the journal began. A segment that begins below `below` is gone, or is
/// about to go.
struct Removed {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t segments = 0;
  Sequence below = 1;

  friend bool operator==(const Removed&, const Removed&) = default;
};

/// Zeros if there is no such file.
[[nodiscard]] base::Result<Removed> load_removed(FileSystem& files, const std::string& directory);
[[nodiscard]] base::Status save_removed(FileSystem& files, const std::string& directory,
                                        const Removed& removed);

struct SegmentInfo {
  Sequence first = 0;
  Sequence next = 0;
  std::uint64_t records = 0;  ///< without lost ones
  std::uint64_t bytes = 0;    ///< of its files
  std::int64_t end_ns = 0;    ///< of the latest record; kTimeUnknownEnd if nobody knows
  bool sealed = false;
};

struct RecoveredJournal {
  std::vector<SegmentInfo> segments{};  ///< by number; the last may be the one to append to
  std::optional<SegmentEnd> open{};     ///< the last one, if it is not sealed
  std::optional<RecordKey> last_key{};
  Sequence next = 1;
  Removed removed{};
};

/// Removes what is half made, recovers open segments, finishes removals, and pulls back cursors that stand
/// behind the end, so that numbers that are given again after a crash of the machine are read. Clean files
/// are only read. kUnsupported: a file of a newer version; nothing was removed.
[[nodiscard]] base::Result<RecoveredJournal> recover_journal(FileSystem& files, const std::string& directory,
                                                             const Describe& describe,
                                                             RecoveryReport& report);

}  // namespace flowtally::journal
