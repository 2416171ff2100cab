#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace flowtally::base {

void check_failed(const char* file, int line, const char* what) noexcept {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
  std::abort();
}

}  // namespace flowtally::base
