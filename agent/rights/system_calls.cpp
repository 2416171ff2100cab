#include "rights/system_calls.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <fmt/format.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "rights/call_lists.hpp"

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

constexpr const char* kNeeded = "The kernel needs CONFIG_SECCOMP_FILTER";

/// The condition that an argument has that value, or another relation to it.
scmp_arg_cmp when(unsigned argument, scmp_compare how, std::uint64_t value) {
  return {.arg = argument, .op = how, .datum_a = value, .datum_b = 0};
}

base::Status answer(const Filter& filter, std::uint32_t action, std::span<const char* const> names) {
  for (const char* const name : names) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number < 0) continue;  // not on this architecture
    const int code = ::seccomp_rule_add(filter.get(), action, number, 0);
    if (code != 0 && code != -EEXIST)
      return fail(Error::from_errno(-code, fmt::format("have an answer to the system call {}", name)));
  }
  return {};
}

base::Status answer_new_calls(const Filter& filter) {
  for (int number = kNewCallsBegin; number < kNewCallsEnd; ++number) {
    const int code = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), number, 0);
    if (code != 0 && code != -EEXIST)
      return fail(Error::from_errno(-code, fmt::format("have an answer to the system call {}", number)));
  }
  return {};
}

/// Sockets of these families, of netlink routes and devices only; of the others there are none, as far as a
/// library that tries them is told: that is no attack.
base::Status allow_families(const Filter& filter, std::span<const unsigned> families) {
  constexpr unsigned kFamilies = AF_MAX;
  const auto rule = [&filter](std::uint32_t action, auto... conditions) {
    return ::seccomp_rule_add(filter.get(), action, SCMP_SYS(socket), sizeof...(conditions), conditions...);
  };
  int code = rule(SCMP_ACT_ERRNO(EAFNOSUPPORT), when(0, SCMP_CMP_GE, kFamilies));
  for (unsigned family = 0; code == 0 && family < kFamilies; ++family) {
    const auto is_it = when(0, SCMP_CMP_EQ, family);
    if (std::ranges::find(families, family) == families.end()) {
      code = rule(SCMP_ACT_ERRNO(EAFNOSUPPORT), is_it);
    } else if (family == AF_NETLINK) {
      code = rule(SCMP_ACT_ALLOW, is_it, when(2, SCMP_CMP_EQ, NETLINK_ROUTE));
      if (code == 0) code = rule(SCMP_ACT_ERRNO(EPROTONOSUPPORT), is_it, when(2, SCMP_CMP_NE, NETLINK_ROUTE));
    } else {
      code = rule(SCMP_ACT_ALLOW, is_it);
    }
  }
  if (code != 0) return fail(Error::from_errno(-code, "allow some families of sockets"));
  return {};
}

/// Threads, and children in the namespaces that there are: in a user namespace of its own it would have every
/// capability.
base::Status allow_threads(const Filter& filter) {
#ifdef __s390x__
  constexpr unsigned kFlags = 1;
#else
  constexpr unsigned kFlags = 0;
#endif
  constexpr std::uint64_t kNewTime = 0x80;  // CLONE_NEWTIME is not in all headers
  constexpr std::array<std::uint64_t, 8> kNamespaces = {CLONE_NEWUSER,   CLONE_NEWNS,  CLONE_NEWNET,
                                                        CLONE_NEWPID,    CLONE_NEWIPC, CLONE_NEWUTS,
                                                        CLONE_NEWCGROUP, kNewTime};
  std::uint64_t all = 0;
  int code = 0;
  for (const std::uint64_t one : kNamespaces) {
    all |= one;
    if (code == 0) {
      code = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                scmp_arg_cmp{kFlags, SCMP_CMP_MASKED_EQ, one, one});
    }
  }
  if (code == 0) {
    code = ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                              scmp_arg_cmp{kFlags, SCMP_CMP_MASKED_EQ, all, 0});
  }
  if (code != 0) return fail(Error::from_errno(-code, "allow threads"));
  return {};
}

base::Status allow_pairs_of_sockets(const Filter& filter) {
  int code = ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
                                when(0, SCMP_CMP_EQ, AF_UNIX));
  if (code == 0) {
    code = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socketpair), 1,
                              when(0, SCMP_CMP_NE, AF_UNIX));
  }
  if (code != 0) return fail(Error::from_errno(-code, "allow pairs of sockets"));
  return {};
}

/// A filter of its own, since libseccomp has no "all others" for an argument. The stricter answer of two
/// filters holds; what comes in by another architecture's way is ended by the large one.
base::Status load_ioctls() {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  constexpr std::uint32_t kLow = 4;
#else
  constexpr std::uint32_t kLow = 0;
#endif
  constexpr std::uint32_t kRequest = offsetof(seccomp_data, args) + sizeof(std::uint64_t) + kLow;
  const auto load_word = [](std::uint32_t from) {
    return sock_filter{.code = BPF_LD | BPF_W | BPF_ABS, .jt = 0, .jf = 0, .k = from};
  };
  const auto jump_if = [](std::uint32_t value, std::size_t there, std::size_t otherwise) {
    return sock_filter{.code = BPF_JMP | BPF_JEQ | BPF_K,
                       .jt = static_cast<std::uint8_t>(there),
                       .jf = static_cast<std::uint8_t>(otherwise),
                       .k = value};
  };
  const auto end = [](std::uint32_t action) {
    return sock_filter{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = action};
  };
  std::vector<sock_filter> steps{load_word(offsetof(seccomp_data, nr)),
                                 jump_if(SYS_ioctl, 0, kIoctls.size() + 2), load_word(kRequest)};
  for (std::size_t at = 0; at < kIoctls.size(); ++at)
    steps.push_back(jump_if(kIoctls.at(at), kIoctls.size() - at, 0));
  steps.push_back(end(SECCOMP_RET_ERRNO | ENOTTY));
  steps.push_back(end(SECCOMP_RET_ALLOW));
  const sock_fprog filter{.len = static_cast<unsigned short>(steps.size()), .filter = steps.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0)
    return fail(Error::from_errno(errno, "load the filter of ioctls").advise(kNeeded));
  return {};
}

enum class Part : std::uint8_t { kAgent, kCapturer };

base::Status load(Part part) {
  const bool agent = part == Part::kAgent;
  const std::span<const char* const> own =
      agent ? std::span<const char* const>(kAgent) : std::span<const char* const>(kCapturer);
  const std::span<const unsigned> families =
      agent ? std::span<const unsigned>(kAgentFamilies) : std::span<const unsigned>(kCapturerFamilies);
  const Filter filter(::seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (!filter) return fail(Error(base::ErrorCode::kResource, "make a filter of system calls"));
  auto step = answer(filter, SCMP_ACT_ALLOW, kBoth);
  if (step) step = answer(filter, SCMP_ACT_ALLOW, own);
  if (step && kSanitized) step = answer(filter, SCMP_ACT_ALLOW, kSanitizer);
  if (step && (agent || kSanitized)) step = allow_threads(filter);
  if (step && agent) step = allow_pairs_of_sockets(filter);
  if (step) step = allow_families(filter, families);
  if (step) step = answer(filter, SCMP_ACT_ERRNO(ENOSYS), kNotHere);
  if (step) step = answer_new_calls(filter);
  if (!step) return step;
  // Calls by the numbers of another architecture end the process, not only their thread.
  int code = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  // Ours has set it, or was refused it, before.
  if (code == 0) code = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0);
  if (code != 0) return fail(Error::from_errno(-code, "set up the filter of system calls"));
  if (step = load_ioctls(); !step) return step;
  if (code = ::seccomp_load(filter.get()); code != 0)
    return fail(Error::from_errno(-code, "load the filter of system calls").advise(kNeeded));
  return {};
}

}  // namespace

base::Status allow_only_agent_calls() { return load(Part::kAgent); }

base::Status allow_only_capturer_calls() { return load(Part::kCapturer); }

}  // namespace flowtally::rights
