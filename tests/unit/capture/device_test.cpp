#include "capture/device.hpp"

#include <string>

#include "support/catch.hpp"

namespace flowtally::capture {
namespace {

TEST_CASE("a name that the kernel would take is valid", "[unit]") {
  const std::string name = GENERATE(as<std::string>(), "tailscale0", "lo", "a", "123456789012345", "eth0.100",
                                    "wg-home", "veth_1@x", "...", ".a", "a\"b\\c", "tün0", "%d");
  INFO(name);
  CHECK(valid_device_name(name));
}

TEST_CASE("a name that the kernel would refuse is not", "[unit]") {
  const std::string name = GENERATE(as<std::string>(), "", ".", "..", "1234567890123456", "a/b", "/",
                                    "eth0:1", "a b", " a", "a ", "a\t", "a\nb", "a\vb", "a\fb", "a\r");
  INFO(name);
  CHECK_FALSE(valid_device_name(name));
}

TEST_CASE("a name is not cut at a zero byte", "[unit]") {
  CHECK_FALSE(valid_device_name(std::string("tun0\0x", 6)));
  CHECK_FALSE(valid_device_name(std::string("\0", 1)));
}

TEST_CASE("the loopback device is found and begins with an Ethernet header", "[unit]") {
  const auto watch = DeviceWatch::open();
  REQUIRE(watch);
  const auto loopback = watch->find("lo");
  REQUIRE(loopback);
  REQUIRE(loopback->has_value());
  const Device device = loopback->value_or(Device{});
  CHECK(to_int(device.index) > 0);
  CHECK(device.link_layer == LinkLayer::kEthernet);
}

TEST_CASE("a device that is not there is none, and no error", "[unit]") {
  const auto watch = DeviceWatch::open();
  REQUIRE(watch);
  const auto found = watch->find("flowtally-none");
  REQUIRE(found);
  CHECK_FALSE(found->has_value());
}

}  // namespace
}  // namespace flowtally::capture
