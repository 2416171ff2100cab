#include "base/memory.hpp"

#include <malloc.h>

namespace flowtally::base {

void give_memory_back() noexcept {
  constexpr int kLargeBytes = 128 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, kLargeBytes);
  ::mallopt(M_TRIM_THRESHOLD, kLargeBytes);
  ::mallopt(M_ARENA_MAX, 2);
}

}  // namespace flowtally::base
