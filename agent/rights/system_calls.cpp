#include "rights/system_calls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

#include <linux/sockios.h>
#include <fmt/format.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

namespace flowtally::rights {
namespace {

using base::Error;
using base::fail;

struct Release {
  void operator()(void* filter) const noexcept { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release>;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

/// Memory, time, files that are open, the end: what the C and C++ libraries do by themselves.
constexpr std::array kBoth = {"access",
                              "arch_prctl",
                              "brk",
                              "chmod",
                              "clock_getres",
                              "clock_gettime",
                              "clock_nanosleep",
                              "close",
                              "close_range",
                              "dup",
                              "dup2",
                              "dup3",
                              "epoll_create1",
                              "epoll_ctl",
                              "epoll_pwait",
                              "epoll_pwait2",
                              "epoll_wait",
                              "exit",
                              "exit_group",
                              "faccessat",
                              "faccessat2",
                              "fchmod",
                              "fchmodat",
                              "fcntl",
                              "flock",
                              "fstat",
                              "fstatfs",
                              "futex",
                              "getcpu",
                              "getdents64",
                              "getegid",
                              "geteuid",
                              "getgid",
                              "getpid",
                              "getppid",
                              "getrandom",
                              "getrlimit",
                              "getrusage",
                              "gettid",
                              "gettimeofday",
                              "getuid",
                              "lseek",
                              "lstat",
                              "madvise",
                              "membarrier",
                              "memfd_create",
                              "mkdir",
                              "mkdirat",
                              "mmap",
                              "mprotect",
                              "mremap",
                              "munmap",
                              "nanosleep",
                              "newfstatat",
                              "openat",
                              "open",
                              "poll",
                              "ppoll",
                              "prctl",
                              "pread64",
                              "prlimit64",
                              "read",
                              "readlink",
                              "readlinkat",
                              "readv",
                              "recvfrom",
                              "recvmsg",
                              "rename",
                              "renameat",
                              "renameat2",
                              "restart_syscall",
                              "rmdir",
                              "rseq",
                              "rt_sigaction",
                              "rt_sigprocmask",
                              "rt_sigreturn",
                              "rt_sigtimedwait",
                              "sched_getaffinity",
                              "sched_yield",
                              "sendmsg",
                              "sendto",
                              "set_robust_list",
                              "set_tid_address",
                              "sigaltstack",
                              "stat",
                              "statfs",
                              "statx",
                              "sysinfo",
                              "tgkill",
                              "time",
                              "times",
                              "uname",
                              "unlink",
                              "unlinkat",
                              "write",
                              "writev",
                              "getsockname",
                              "getsockopt",
                              "setsockopt",
                              "bind",
                              "connect",
                              "shutdown",
                              "getpgrp",
                              "kill",
                              "wait4",
                              "waitid"};

/// Threads, sockets, and a journal on a disk.
constexpr std::array kAgent = {"accept",
                               "accept4",
                               "chown",
                               "clone",
                               "clone3",
                               "copy_file_range",
                               "eventfd2",
                               "fadvise64",
                               "fallocate",
                               "fchown",
                               "fchownat",
                               "fdatasync",
                               "fsync",
                               "ftruncate",
                               "getgroups",
                               "getitimer",
                               "getpeername",
                               "getpriority",
                               "inotify_add_watch",
                               "inotify_init1",
                               "inotify_rm_watch",
                               "lchown",
                               "link",
                               "linkat",
                               "listen",
                               "msync",
                               "pidfd_open",
                               "pidfd_send_signal",
                               "pipe",
                               "pipe2",
                               "preadv",
                               "preadv2",
                               "pselect6",
                               "pwrite64",
                               "pwritev",
                               "pwritev2",
                               "recvmmsg",
                               "select",
                               "sched_get_priority_max",
                               "sched_get_priority_min",
                               "sched_getparam",
                               "sched_getscheduler",
                               "sendfile",
                               "sendmmsg",
                               "setitimer",
                               "setpriority",
                               "signalfd4",
                               "socketpair",
                               "splice",
                               "symlink",
                               "symlinkat",
                               "sync_file_range",
                               "timerfd_create",
                               "timerfd_gettime",
                               "timerfd_settime",
                               "truncate",
                               "umask",
                               "utimensat"};

constexpr std::array kCapturer = {"bpf", "perf_event_open"};

/// What the sanitizers' runtimes need beside that, in builds that are only for tests.
constexpr std::array kSanitizer = {"ptrace",       "process_vm_readv",
                                   "personality",  "sched_setaffinity",
                                   "clone",        "clone3",
                                   "getpgid",      "setrlimit",
                                   "pipe2",        "mincore",
                                   "fork",         "vfork",
                                   "capget",       "tkill",
                                   "mlock",        "munlock",
                                   "rt_sigpending"};

constexpr std::array<unsigned, 4> kAgentFamilies = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
/// AF_INET and AF_UNIX for the ioctl that tells a device's number; they reach nobody by it.
constexpr std::array<unsigned, 3> kCapturerFamilies = {AF_UNIX, AF_INET, AF_NETLINK};

/// The condition that an argument has that value, or is that or above.
scmp_arg_cmp when(unsigned argument, scmp_compare how, std::uint64_t value) {
  return {.arg = argument, .op = how, .datum_a = value, .datum_b = 0};
}

base::Status allow(const Filter& filter, std::span<const char* const> names) {
  for (const char* const name : names) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number < 0) continue;  // not on this architecture
    const int code = ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, number, 0);
    if (code != 0 && code != -EEXIST) {
      return fail(Error::from_errno(-code, fmt::format("allow the system call {}", name)));
    }
  }
  return {};
}

/// Sockets of these families; of the others there are none, as far as a library that tries them is told: that
/// is no attack.
base::Status allow_families(const Filter& filter, std::span<const unsigned> families) {
  constexpr unsigned kFamilies = AF_MAX;
  const auto rule = [&filter](std::uint32_t action, scmp_arg_cmp which) {
    return ::seccomp_rule_add(filter.get(), action, SCMP_SYS(socket), 1, which);
  };
  int code = rule(SCMP_ACT_ERRNO(EAFNOSUPPORT), when(0, SCMP_CMP_GE, kFamilies));
  for (unsigned family = 0; code == 0 && family < kFamilies; ++family) {
    const bool allowed = std::ranges::find(families, family) != families.end();
    code = rule(allowed ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT), when(0, SCMP_CMP_EQ, family));
  }
  if (code != 0) return fail(Error::from_errno(-code, "allow some families of sockets"));
  return {};
}

/// ioctl is thousands of calls in one; a terminal's or a device's are answered by an error.
base::Status allow_ioctls(const Filter& filter) {
  constexpr std::array<unsigned long, 8> kRequests = {FIONBIO,  FIONREAD,     TCGETS,        TIOCGWINSZ,
                                                      SIOCOUTQ, SIOCGIFINDEX, SIOCGIFHWADDR, SIOCGIFNAME};
  for (const unsigned long request : kRequests) {
    const int code =
        ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, when(1, SCMP_CMP_EQ, request));
    if (code != 0) return fail(Error::from_errno(-code, fmt::format("allow ioctl {:#x}", request)));
  }
  return {};
}

base::Status load(std::span<const char* const> names, std::span<const unsigned> families) {
  const Filter filter(::seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (!filter) return fail(Error(base::ErrorCode::kResource, "make a filter of system calls"));
  auto step = allow(filter, kBoth);
  if (step) step = allow(filter, names);
  if (step && kSanitized) step = allow(filter, kSanitizer);
  if (step) step = allow_families(filter, families);
  if (step) step = allow_ioctls(filter);
  if (!step) return step;
  // Ours has set it, or was refused it, before.
  static_cast<void>(::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0));
  if (const int code = ::seccomp_load(filter.get()); code != 0) {
    return fail(Error::from_errno(-code, "load the filter of system calls")
                    .advise("The kernel needs CONFIG_SECCOMP_FILTER"));
  }
  return {};
}

}  // namespace

base::Status allow_only_agent_calls() { return load(kAgent, kAgentFamilies); }

base::Status allow_only_capturer_calls() { return load(kCapturer, kCapturerFamilies); }

}  // namespace flowtally::rights
