#include "rights/private_memory.hpp"

#include <cerrno>

#include <sys/prctl.h>
#include <sys/resource.h>

namespace flowtally::rights {

base::Status keep_memory_private() {
  constexpr rlimit kNoCore{};
  // A kernel that hands core dumps to a program looks at the second one only.
  if (::setrlimit(RLIMIT_CORE, &kNoCore) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return base::fail(base::Error::from_errno(errno, "have no core dumps written"));
  return {};
}

}  // namespace flowtally::rights
