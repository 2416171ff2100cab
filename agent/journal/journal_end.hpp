// This file says where a journal ends, to whoever does not write it.
#pragma once

#include <string>

#include "base/result.hpp"
#include "journal/entry.hpp"
#include "journal/file_system.hpp"

namespace flowtally::journal {

/// How often a segment may vanish between the look at the directory and the opening, because it is sealed or
/// removed.
inline constexpr int kLooksMax = 16;

/// The number that the next record gets.
[[nodiscard]] base::Result<Sequence> journal_end(FileSystem& files, const std::string& directory);

}  // namespace flowtally::journal
