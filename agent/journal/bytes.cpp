#include "journal/bytes.hpp"

#include <xxhash.h>

namespace flowtally::journal {

std::uint64_t checksum(std::string_view bytes, std::uint64_t seed) noexcept {
  return XXH64(bytes.data(), bytes.size(), seed);
}

}  // namespace flowtally::journal
