// This file is what opening a journal had to do, as plain values: the caller logs them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "journal/entry.hpp"

namespace flowtally::journal {

struct RecoveryEvent {
  enum class Kind : std::uint8_t {
    kTornTail,          ///< half a batch at the end was cut off: it was never acknowledged
    kIndexRebuilt,      ///< entries of an index were made anew from the lines
    kRecordsLost,       ///< damaged records; their numbers stay, readers are told of a gap
    kSealedDamaged,     ///< the index of a sealed segment is damaged; it is read without
    kSealedDropped,     ///< a sealed segment was damaged, and its lines were still there
    kLeftover,          ///< files that a crash left half made were removed
    kRemovalFinished,   ///< a segment that retention had counted as removed was removed
    kCountsLost,        ///< what retention had counted is not known any more
    kCursorPulledBack,  ///< a cursor stood behind the end, after a crash of the machine
    kCursorDamaged,     ///< a saved cursor cannot be read
  };

  Kind kind = Kind::kTornTail;
  std::string file{};       ///< its name in the directory
  SequenceRange records{};  ///< as far as it is known which ones
  std::uint64_t bytes = 0;  ///< cut off, lost or removed
  std::string text{};       ///< one sentence for the log, without the file's name
};

/// Nothing in it after a clean end.
struct RecoveryReport {
  std::vector<RecoveryEvent> events{};
  std::uint64_t events_more = 0;  ///< beyond kRecoveryEventsMax

  void add(RecoveryEvent event);
};

inline constexpr std::size_t kRecoveryEventsMax = 1000;

}  // namespace flowtally::journal
