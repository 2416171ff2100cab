// Goal: what is in no list ends the process, what libraries can do without is an error, and what the parts do
// goes on. Method: children that load the filter and make one call.
#include "rights/system_calls.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rights/capabilities.hpp"
#include "server/api/sanitized.hpp"
#include "support/catch.hpp"
#include "unit/rights/in_child.hpp"

namespace flowtally::test {
namespace {

bool limit(base::Status (*allow)()) { return rights::forbid_new_privileges() && allow(); }

constexpr int kKilled = 128 + SIGSYS;

int under(base::Status (*allow)(), int (*call)()) {
  return in_child([allow, call] {
    if (!limit(allow)) return 1;
    return call();
  });
}
int agent(int (*call)()) { return under(rights::allow_only_agent_calls, call); }
int capturer(int (*call)()) { return under(rights::allow_only_capturer_calls, call); }

/// clone() as fork() does it, with these flags beside; 0 if it failed with `wanted`.
int clone_fails(unsigned long flags, int wanted) {
#ifdef __s390x__
  const long child = ::syscall(SYS_clone, 0, flags | SIGCHLD, 0, 0, 0);
#else
  const long child = ::syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
#endif
  if (child == 0) ::_exit(0);
  if (child > 0) return 2;
  return errno == wanted ? 0 : 3;
}

/// 0 if the call fails so, beside which it does nothing.
int fails_with(int wanted, long number) {
  const long result = ::syscall(number, -1, 0, 0, 0, 0, 0);
  return result < 0 && errno == wanted ? 0 : 2;
}

}  // namespace

TEST_CASE("the agent cannot execute, load BPF, mount or change its user", "[unit]") {
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

TEST_CASE("the agent gets no namespace, in which it would have every capability; it gets threads", "[unit]") {
  constexpr unsigned long kNamespaces[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWNET,   CLONE_NEWPID,
                                           CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};
  for (const unsigned long one : kNamespaces) {
    INFO(one);
    CHECK(in_child([one] {
            if (!limit(rights::allow_only_agent_calls)) return 1;
            if (const int alone = clone_fails(one, EPERM); alone != 0) return alone;
            return clone_fails(one | CLONE_NEWUSER | CLONE_VFORK, EPERM);
          }) == 0);
  }
  // What is asked for in memory cannot be looked at: glibc falls back to clone().
  CHECK(agent([] {
          clone_args wanted{};
          wanted.flags = CLONE_NEWUSER;
          wanted.exit_signal = SIGCHLD;
          const long child = ::syscall(SYS_clone3, &wanted, sizeof(wanted));
          if (child == 0) ::_exit(0);
          return child < 0 && errno == ENOSYS ? 0 : 2;
        }) == 0);
  CHECK(agent([] {
          int number = 2;
          std::thread([&number] { number = 0; }).join();
          return number;
        }) == 0);
  CHECK(capturer([] { return clone_fails(0, EPERM); }) == (kSanitized ? 2 : kKilled));
}

TEST_CASE("what a library tries and can do without is an error", "[unit]") {
  const auto both = [](int (*call)()) {
    CHECK(agent(call) == 0);
    CHECK(capturer(call) == 0);
  };
  both([] { return ::ioctl(STDERR_FILENO, TIOCSTI, "x") < 0 && errno == ENOTTY ? 0 : 2; });
  both([] {
    // As a device that is not there: the call is made.
    ifreq request{};
    const int any = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    request.ifr_name[0] = '-';
    return ::ioctl(any, SIOCGIFINDEX, &request) < 0 && errno == ENODEV ? 0 : 2;
  });
  // The kernel looks at the low half only.
  both([] {
    return ::syscall(SYS_ioctl, -1, 0xffffffff00000000UL | FIONREAD, 0) < 0 && errno == EBADF ? 0 : 2;
  });
  for (const long number : {long{SYS_openat2}, long{SYS_io_uring_setup}, 452L, 457L, 462L, 511L}) {
    INFO(number);
    for (const auto part : {rights::allow_only_agent_calls, rights::allow_only_capturer_calls}) {
      CHECK(in_child([number, part] {
              if (!limit(part)) return 1;
              return fails_with(ENOSYS, number);
            }) == 0);
    }
  }
  both([] {
    char path[4096] = {};
    uid_t user[3] = {};
    return ::getcwd(path, sizeof(path)) != nullptr && ::getresuid(&user[0], &user[1], &user[2]) == 0 &&
                   ::getpgid(0) > 0
               ? 0
               : 2;
  });
}

TEST_CASE("of netlink there are routes and devices", "[unit]") {
  const auto both = [](int (*call)()) {
    CHECK(agent(call) == 0);
    CHECK(capturer(call) == 0);
  };
  both([] { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) >= 0 ? 0 : 2; });
  for (const int protocol : {NETLINK_NETFILTER, NETLINK_AUDIT, NETLINK_GENERIC, NETLINK_KOBJECT_UEVENT}) {
    INFO(protocol);
    CHECK(in_child([protocol] {
            if (!limit(rights::allow_only_agent_calls)) return 1;
            return ::socket(AF_NETLINK, SOCK_RAW, protocol) < 0 && errno == EPROTONOSUPPORT ? 0 : 2;
          }) == 0);
  }
  CHECK(agent([] {
          int ends[2] = {};
          return ::socketpair(AF_TIPC, SOCK_STREAM, 0, ends) < 0 && errno == EAFNOSUPPORT ? 0 : 2;
        }) == 0);
}

TEST_CASE("the capturer connects to nobody, signals nobody and waits for nobody", "[unit]") {
  CHECK(capturer([] { return ::connect(-1, nullptr, 0); }) == kKilled);
  CHECK(capturer([] { return ::shutdown(-1, SHUT_RDWR); }) == kKilled);
  CHECK(capturer([] {
          perf_event_attr event{};
          return static_cast<int>(::syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
        }) == kKilled);
  if (!kSanitized) {
    CHECK(capturer([] { return ::kill(::getpid(), 0); }) == kKilled);
    CHECK(capturer([] { return static_cast<int>(::waitpid(-1, nullptr, WNOHANG)); }) == kKilled);
  }
  // Its own mistakes end it as they do others.
  CHECK(capturer([] {
          static_cast<void>(std::signal(SIGABRT, SIG_DFL));  // not the test program's handler
          std::abort();
          return 0;
        }) == 128 + SIGABRT);
}

#ifdef __x86_64__
TEST_CASE("a call by the numbers of another architecture ends the process, not only its thread", "[unit]") {
  CHECK(agent([] {
          std::thread([] {
            constexpr long kOtherNumbers = 0x40000000;  // x32
            ::syscall(kOtherNumbers | SYS_getpid);
          }).join();
          return 2;
        }) == kKilled);
}
#endif

}  // namespace flowtally::test
