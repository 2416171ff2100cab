// This file is the form of the journal's small files, cursors and the count of what was removed: one line of
// text that a person can read, with a checksum.
//
//   flowtally-cursor 1 4711 9c2f…\n      word, version, numbers, xxh64 of what stands before it
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace flowtally::journal {

/// Small files are refused above this.
inline constexpr std::size_t kNumberFileBytesMax = 4096;

[[nodiscard]] std::string encode_numbers(std::string_view word, std::span<const std::uint64_t> numbers);
/// Exactly `count` numbers. kCorrupt, or kUnsupported if a newer version wrote it.
[[nodiscard]] base::Result<std::vector<std::uint64_t>> decode_numbers(std::string_view text,
                                                                      std::string_view word,
                                                                      std::size_t count);

}  // namespace flowtally::journal
