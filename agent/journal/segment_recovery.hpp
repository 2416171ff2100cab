// This file makes the files of an open segment whole again after a crash or damage.
#pragma once

#include <string>

#include "base/result.hpp"
#include "journal/entry.hpp"
#include "journal/file_system.hpp"
#include "journal/open_segment.hpp"
#include "journal/recovery_report.hpp"

namespace flowtally::journal {

/// Reads all lines and entries of a segment, cuts what follows the last whole batch, makes lost entries anew
/// where the lines allow it, and marks records as lost where nothing does: a batch of which a record is
/// damaged is lost as a whole, because a batch is in the journal wholly or not at all. The files are as they
/// were or whole whenever a crash comes. Nothing is written where nothing is wrong.
///
/// kUnsupported: written by a newer version; nothing was touched. Memory: 80 bytes for each record.
[[nodiscard]] base::Result<SegmentEnd> recover_segment(FileSystem& files, const std::string& directory,
                                                       Sequence first, const Describe& describe,
                                                       RecoveryReport& report);

}  // namespace flowtally::journal
