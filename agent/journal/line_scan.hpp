// This file finds the lines of a file without any index.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.hpp"
#include "journal/file_system.hpp"

namespace flowtally::journal {

struct ScannedLine {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< with the line end
  std::string_view text{};   ///< during the call only; not all of a line that is too long
  bool whole = false;        ///< ends with a line end, is not too long and has no zero byte
};

/// Calls `take` for each line of [from, to), in order; the last may have no end. Zero bytes are what a crash
/// leaves of pages that were never written. Memory: two of the longest lines.
[[nodiscard]] base::Status scan_lines(File& file, std::uint64_t from, std::uint64_t to,
                                      const std::function<void(const ScannedLine&)>& take);

}  // namespace flowtally::journal
