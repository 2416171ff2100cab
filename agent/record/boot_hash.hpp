// This file gives a boot a number: with the epoch and the part it names a record for good, where a string
// would be too long.
#pragma once

#include <cstdint>
#include <string_view>

namespace flowtally::record {

/// FNV-1a with 64 bits of the boot id's text. It stands in files: never change it.
[[nodiscard]] constexpr std::uint64_t boot_hash(std::string_view boot_id) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char character : boot_id) {
    hash ^= static_cast<unsigned char>(character);
    hash *= 0x100000001b3;
  }
  return hash;
}

}  // namespace flowtally::record
