// This file names the files of a journal: a segment by its first sequence number, in twenty digits, so that a
// listing in order of names is one in order of records.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "journal/entry.hpp"
#include "journal/file_system.hpp"

namespace flowtally::journal {

inline constexpr std::string_view kLinesSuffix = ".ndjson";
inline constexpr std::string_view kIndexSuffix = ".index";
inline constexpr std::string_view kSealedSuffix = ".ndjson.zst";
inline constexpr std::string_view kLockName = "lock";
inline constexpr std::string_view kRemovedName = "removed";
inline constexpr std::string_view kCursorFolder = "cursors";
/// What was damaged and could not be used is kept under its name with this behind it.
inline constexpr std::string_view kDamagedSuffix = ".damaged";

/// More segments than this in a directory are refused: 64 TB of records.
inline constexpr std::size_t kSegmentsMax = 1'000'000;

/// "/d/00000000000000000042.ndjson"
[[nodiscard]] std::string segment_path(const std::string& directory, Sequence first, std::string_view suffix);
[[nodiscard]] std::string segment_name(Sequence first, std::string_view suffix);

/// Which files of one segment are there.
struct SegmentFiles {
  Sequence first = 0;
  bool lines = false;
  bool index = false;
  bool sealed = false;
};

/// What a directory holds, segments by their first number.
struct Listing {
  std::vector<SegmentFiles> segments;
  std::vector<std::string> aside;  ///< left of files that were never finished
};

/// Names that are not the journal's are passed over. An empty listing if there is no such directory.
[[nodiscard]] base::Result<Listing> list_journal(FileSystem& files, const std::string& directory);

}  // namespace flowtally::journal
