#include "demo/net_namespace.hpp"

#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>

#include "demo/rtnetlink.hpp"

namespace flowtally::demo {
namespace {

constexpr const char* kRemedy = "Run it as root, or with CAP_SYS_ADMIN and CAP_NET_ADMIN";

base::Result<base::UniqueFd> unshare_here() {
  if (::unshare(CLONE_NEWNET) != 0) {
    return base::fail(base::Error::from_errno(errno, "making a network namespace").advise(kRemedy));
  }
  base::UniqueFd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return base::fail(base::Error::from_errno(errno, "opening /proc/thread-self/ns/net"));

  auto netlink = Rtnetlink::open();
  if (!netlink) return base::fail(std::move(netlink.error()));
  if (auto up = netlink->bring_up(::if_nametoindex("lo")); !up) {
    return base::fail(std::move(up.error()).during("loopback of a new network namespace"));
  }
  return fd;
}

}  // namespace

base::Result<NetNamespace> NetNamespace::make() {
  base::Result<base::UniqueFd> made;
  std::thread([&] { made = unshare_here(); }).join();
  if (!made) return base::fail(std::move(made.error()));
  return NetNamespace(std::move(*made));
}

base::Status NetNamespace::run_inside(const std::function<void()>& function) const {
  int sys_errno = 0;
  std::thread([&] {
    if (::setns(fd_.get(), CLONE_NEWNET) == 0) {
      function();
    } else {
      sys_errno = errno;
    }
  }).join();
  if (sys_errno == 0) return {};
  return base::fail(base::Error::from_errno(sys_errno, "entering a network namespace").advise(kRemedy));
}

}  // namespace flowtally::demo
