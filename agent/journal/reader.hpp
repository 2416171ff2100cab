// This file reads a journal, from any process, while it is written, sealed and shortened: records in order of
// their numbers, from a number or a time on, with what is missing told exactly, and the wait for more.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.hpp"
#include "journal/entry.hpp"
#include "journal/file_system.hpp"
#include "journal/term_filter.hpp"

namespace flowtally::journal {

/// Which records a reader is after. What these leave out is passed over in silence, whole frames of it
/// without being read.
struct ScanOptions {
  std::int64_t start_ns = std::numeric_limits<std::int64_t>::min();  ///< records that end after it
  std::int64_t end_ns = std::numeric_limits<std::int64_t>::max();    ///< and begin before it
  /// False: nothing in this frame is asked for. Not asked where there is no filter, as in the open segment.
  std::function<bool(const TermFilter&)> may_match{};
};

struct Record {
  std::string_view line;  ///< with its line end; until the next call of the reader
  Sequence sequence = 0;
  std::int64_t start_ns = 0;  ///< kTimeUnknownStart where an index was lost
  std::int64_t end_ns = 0;
};

/// Records that cannot be had any more.
struct Gap {
  enum class Reason : std::uint8_t {
    kRemoved,  ///< by retention
    kDamaged,  ///< they are there, but do not have their checksums
    kMissing,  ///< nobody knows why: a segment's file is gone
  };
  SequenceRange records;
  Reason reason = Reason::kMissing;

  friend bool operator==(const Gap&, const Gap&) = default;
};

/// No more for now.
struct AtEnd {};

using Step = std::variant<Record, Gap, AtEnd>;

struct ScanCounts {
  std::uint64_t frames_read = 0;
  std::uint64_t frames_passed = 0;
};

/// One reader's place in a journal. Any number of them, in any process; each belongs to one thread. Memory:
/// the index of a segment and two frames.
class JournalReader {
 public:
  /// Stands before the oldest record. A directory that does not exist yet is an empty journal. `files` must
  /// outlive the reader.
  [[nodiscard]] static base::Result<JournalReader> open(const std::string& directory,
                                                        ScanOptions options = {},
                                                        FileSystem& files = posix_file_system());
  JournalReader(JournalReader&&) noexcept;
  JournalReader& operator=(JournalReader&&) noexcept;
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;
  ~JournalReader();

  /// The next step is about record `next`: it, or a gap that begins there. kInvalidArgument: beyond the end.
  [[nodiscard]] base::Status seek(Sequence next);
  /// To the first record that ends after `time_ns`, as far as frames tell: records before it may come first.
  [[nodiscard]] base::Status seek_time(std::int64_t time_ns);
  /// Behind the last record.
  [[nodiscard]] base::Status seek_end();

  /// next() is at the end before record `end`: for readers that share a journal's records among them.
  void stop_before(Sequence end) noexcept;

  /// With an Error the place stays: the next call tries again. kUnsupported: a newer version wrote what
  /// comes.
  [[nodiscard]] base::Result<Step> next();
  /// The number that comes next, for a saved cursor: everything before it was given, told as a gap, or is not
  /// what the options ask for.
  [[nodiscard]] Sequence position() const noexcept;
  /// After an Error of next(): gives up what cannot be read, a frame or a record, and makes it a gap.
  [[nodiscard]] base::Result<Gap> give_up();

  /// Waits until there may be more, at most for `timeout`; false if nothing happened. By inotify where there
  /// is such a thing, and by a look every kLookInterval: it costs little, and inotify does not tell of
  /// everything (a network file system, too many watches).
  /// As soon as `wake_fd`, if there is one, is readable it ends as if the time were over.
  [[nodiscard]] bool wait(std::chrono::milliseconds timeout, int wake_fd = -1);

  [[nodiscard]] ScanCounts counts() const noexcept;

 private:
  struct Inner;
  explicit JournalReader(std::unique_ptr<Inner> inner);

  std::unique_ptr<Inner> inner_;
};

inline constexpr std::chrono::milliseconds kLookInterval{1000};

}  // namespace flowtally::journal
