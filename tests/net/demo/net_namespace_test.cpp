#include "demo/net_namespace.hpp"

#include <cerrno>
#include <filesystem>
#include <string>

#include <net/if.h>
#include <sys/stat.h>

#include "demo/tun_device.hpp"
#include "net/demo/demo_fixture.hpp"

using namespace flowtally;
using demo::NetNamespace;

namespace {

/// Which namespace the calling thread is in.
ino_t current_namespace() {
  struct stat info{};
  REQUIRE(::stat("/proc/thread-self/ns/net", &info) == 0);
  return info.st_ino;
}

}  // namespace

TEST_CASE("a function runs inside the namespace, and the caller stays outside") {
  test::require_network();
  const NetNamespace space = test::must(NetNamespace::make());
  const ino_t outside = current_namespace();
  const ino_t inside = test::must(space.run([]() -> base::Result<ino_t> { return current_namespace(); }));
  struct stat info{};
  REQUIRE(::fstat(space.fd(), &info) == 0);
  CHECK(inside == info.st_ino);
  CHECK(inside != outside);
  CHECK(current_namespace() == outside);
}

TEST_CASE("a failure inside comes out") {
  test::require_network();
  const NetNamespace space = test::must(NetNamespace::make());
  const auto status =
      space.run([]() -> base::Status { return base::fail(base::Error::from_errno(ENODEV, "inside")); });
  REQUIRE_FALSE(status);
  CHECK(status.error().sys_errno() == ENODEV);
}

TEST_CASE("a TUN device lives as long as its owner, in its namespace only") {
  test::require_network();
  const NetNamespace space = test::must(NetNamespace::make());
  const auto index_inside = [&] {
    return test::must(
        space.run([]() -> base::Result<unsigned> { return ::if_nametoindex("demo-under-test"); }));
  };
  {
    const auto device =
        test::must(space.run([] { return demo::TunDevice::open({.name = "demo-under-test"}); }));
    CHECK(index_inside() == device.ifindex());
    CHECK(::if_nametoindex("demo-under-test") == 0);
  }
  CHECK(index_inside() == 0);
}

TEST_CASE("a device name that is too long is refused") {
  test::require_network();
  const NetNamespace space = test::must(NetNamespace::make());
  const auto device = space.run([] { return demo::TunDevice::open({.name = "sixteen-letters-"}); });
  REQUIRE_FALSE(device);
  CHECK(device.error().code() == base::ErrorCode::kInvalidArgument);
}
