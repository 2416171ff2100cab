#include "demo/demo_net.hpp"

namespace flowtally::demo {
namespace {

// As in a tailnet: the kernel routes these ranges through the device (tailcfg, net/tsaddr).
constexpr std::uint8_t kPrefixBits4 = 10;  // 100.64.0.0/10
constexpr std::uint8_t kPrefixBits6 = 48;  // fd7a:115c:a1e0::/48

base::Result<TunDevice> open_device(const NetNamespace& space, Side side) {
  const auto v4 = DemoTailnet::address(side, model::Address::Family::kV4);
  const auto v6 = DemoTailnet::address(side, model::Address::Family::kV6);
  return space.run([&] {
    return TunDevice::open({.name = kDemoDevice,
                            .v4 = {.address = v4, .prefix_bits = kPrefixBits4},
                            .v6 = {.address = v6, .prefix_bits = kPrefixBits6}});
  });
}

}  // namespace

base::Result<DemoTailnet> DemoTailnet::make() {
  const auto failed = [](base::Error error) { return base::fail(std::move(error).during("demo tailnet")); };
  auto a = NetNamespace::make();
  if (!a) return failed(std::move(a.error()));
  auto b = NetNamespace::make();
  if (!b) return failed(std::move(b.error()));
  auto device_a = open_device(*a, Side::kA);
  if (!device_a) return failed(std::move(device_a.error()).during("node A"));
  auto device_b = open_device(*b, Side::kB);
  if (!device_b) return failed(std::move(device_b.error()).during("node B"));
  auto forwarder = Forwarder::start(std::move(*device_a), std::move(*device_b));
  if (!forwarder) return failed(std::move(forwarder.error()));
  return DemoTailnet(std::move(*a), std::move(*b), std::move(*forwarder));
}

model::Address DemoTailnet::address(Side side, model::Address::Family family) noexcept {
  const std::uint8_t host = side == Side::kA ? 1 : 2;
  if (family == model::Address::Family::kV4) return model::Address::v4({100, 64, 0, host});
  return model::Address::v6({0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host});
}

Path DemoTailnet::path(Side from, model::Address::Family family) const noexcept {
  const Side to = from == Side::kA ? Side::kB : Side::kA;
  return {.from_space = from == Side::kA ? a_ : b_,
          .from = address(from, family),
          .to_space = from == Side::kA ? b_ : a_,
          .to = address(to, family)};
}

}  // namespace flowtally::demo
