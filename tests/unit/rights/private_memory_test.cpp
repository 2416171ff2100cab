// Goal: nothing of a process's memory gets into a core file or to another process of its user.
#include "rights/private_memory.hpp"

#include <string>

#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "unit/rights/in_child.hpp"

namespace flowtally::test {

TEST_CASE("no core is written, and there is no way back to it for who is not root", "[unit]") {
  CHECK(in_child([] {
          if (!rights::keep_memory_private()) return 1;
          rlimit core{};
          if (::getrlimit(RLIMIT_CORE, &core) != 0) return 2;
          if (core.rlim_cur != 0 || core.rlim_max != 0) return 3;
          return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 4;
        }) == 0);
}

TEST_CASE("another process of the same user cannot trace it", "[unit]") {
  if (::geteuid() != 0) SKIP("needs root: becomes another user");
  const auto traced = [](bool is_private) {
    return in_child([is_private] {
      if (::setgroups(0, nullptr) != 0 || ::setgid(65532) != 0 || ::setuid(65532) != 0) return 10;
      ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // as it is after an execve
      if (is_private && !rights::keep_memory_private()) return 11;
      const pid_t target = ::getpid();
      const pid_t other = ::fork();
      if (other == 0) {
        ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        const std::string path = "/proc/" + std::to_string(target) + "/environ";
        ::_exit(::access(path.c_str(), R_OK) == 0 ? 1 : 0);
      }
      int status = 0;
      ::waitpid(other, &status, 0);
      return WIFEXITED(status) ? WEXITSTATUS(status) : 12;
    });
  };
  CHECK(traced(false) == 1);
  CHECK(traced(true) == 0);
}

}  // namespace flowtally::test
