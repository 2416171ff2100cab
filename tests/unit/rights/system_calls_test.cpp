// Goal: what is on neither list ends the process, and what the parts do goes on. Method: children that load
// the filter and make one call.
#include "rights/system_calls.hpp"

#include <cerrno>
#include <csignal>
#include <thread>

#include <linux/bpf.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rights/capabilities.hpp"
#include "support/catch.hpp"
#include "unit/rights/in_child.hpp"

namespace flowtally::test {
namespace {

bool limit(base::Status (*allow)()) { return rights::forbid_new_privileges() && allow(); }

constexpr int kKilled = 128 + SIGSYS;

}  // namespace

TEST_CASE("the agent cannot execute, load BPF, mount or change its user", "[unit]") {
  const auto agent = [](int (*call)()) {
    return in_child([call] {
      if (!limit(rights::allow_only_agent_calls)) return 1;
      return call();
    });
  };
  CHECK(agent([] {
          bpf_attr attributes{};
          return static_cast<int>(::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes)));
        }) == kKilled);
  CHECK(agent([] { return ::execl("/bin/true", "true", nullptr); }) == kKilled);
  CHECK(agent([] { return ::mount("none", "/mnt", "tmpfs", 0, nullptr); }) == kKilled);
  CHECK(agent([] { return ::setuid(0); }) == kKilled);
  CHECK(agent([] { return static_cast<int>(::syscall(SYS_unshare, 0)); }) == kKilled);
  CHECK(agent([] {
          int number = 0;
          std::thread([&number] {
            number = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ? 0 : 2;
          }).join();
          return number;
        }) == 0);
  CHECK(agent([] {
          const int raw = ::socket(AF_PACKET, SOCK_RAW, 0);
          return raw < 0 && errno == EAFNOSUPPORT ? 0 : 2;
        }) == 0);
}

TEST_CASE("the capturer cannot execute, make a thread or listen", "[unit]") {
  const auto capturer = [](int (*call)()) {
    return in_child([call] {
      if (!limit(rights::allow_only_capturer_calls)) return 1;
      return call();
    });
  };
  CHECK(capturer([] { return ::execl("/bin/true", "true", nullptr); }) == kKilled);
  CHECK(capturer([] { return ::listen(0, 1); }) == kKilled);
  CHECK(capturer([] { return ::setuid(0); }) == kKilled);
  CHECK(capturer([] {
          bpf_attr attributes{};
          const long made = ::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes));
          return made < 0 && errno != ENOSYS ? 0 : 2;
        }) == 0);
  CHECK(capturer([] { return ::socket(AF_INET6, SOCK_STREAM, 0) < 0 && errno == EAFNOSUPPORT ? 0 : 2; }) ==
        0);
}

}  // namespace flowtally::test
