// Goal: how the capturer has ended is told, also where there is no pidfd. Method: children that start one, as
// the agent does.
#include "app/capturer_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "rights/capabilities.hpp"
#include "support/catch.hpp"
#include "unit/rights/in_child.hpp"

namespace flowtally::test {
namespace {

/// As the filters of some containers have it.
bool refuse_pidfds() {
  std::array<sock_filter, 4> steps{{{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
                                    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_pidfd_open},
                                    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS},
                                    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}}};
  const sock_fprog filter{.len = steps.size(), .filter = steps.data()};
  return rights::forbid_new_privileges() &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0 &&
         ::syscall(SYS_pidfd_open, ::getpid(), 0) < 0;
}

/// 0 if a capturer that was ended by that signal is told to have been.
int told(int signal) {
  auto capturer = app::CapturerProcess::start();
  if (!capturer) return 2;
  if (::kill((*capturer)->pid(), signal) != 0) return 3;
  const auto opened = (*capturer)->open({});
  if (opened) return 4;
  const std::string wanted = "was killed by signal " + std::to_string(signal);
  return opened.error().text().find(wanted) != std::string::npos ? 0 : 5;
}

}  // namespace

TEST_CASE("what has killed the capturer is told, with a pidfd and without", "[unit]") {
  CHECK(in_child([] { return told(SIGKILL); }) == 0);
  CHECK(in_child([] { return refuse_pidfds() ? told(SIGKILL) : 1; }) == 0);
}

TEST_CASE("a capturer that somebody else has waited for has ended", "[unit]") {
  CHECK(in_child([] {
          static_cast<void>(std::signal(SIGCHLD, SIG_IGN));
          auto capturer = app::CapturerProcess::start();
          if (!capturer || ::kill((*capturer)->pid(), SIGKILL) != 0) return 2;
          const auto opened = (*capturer)->open({});
          return !opened && opened.error().text().find("has ended") != std::string::npos ? 0 : 3;
        }) == 0);
}

}  // namespace flowtally::test
