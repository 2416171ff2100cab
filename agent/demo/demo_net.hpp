// This file is the demo tailnet: two nodes in anonymous network namespaces, each with a tailscale0, joined by
// a forwarder. It needs neither Tailscale nor a network, touches nothing outside, and leaves nothing behind.
// Needs root and /dev/net/tun.
#pragma once

#include <memory>

#include "base/result.hpp"
#include "demo/forwarder.hpp"
#include "demo/net_namespace.hpp"
#include "demo/traffic.hpp"

namespace flowtally::demo {

inline constexpr const char* kDemoDevice = "tailscale0";

/// The two nodes and what joins them. Node A, 100.64.0.1 and fd7a:115c:a1e0::1, is the one to observe; node B
/// is 100.64.0.2 and fd7a:115c:a1e0::2.
class DemoTailnet {
 public:
  [[nodiscard]] static base::Result<DemoTailnet> make();

  /// Counting at node A: enter with namespace_a().run(…), the device is kDemoDevice.
  [[nodiscard]] const NetNamespace& namespace_a() const noexcept { return a_; }
  [[nodiscard]] const NetNamespace& namespace_b() const noexcept { return b_; }
  [[nodiscard]] static model::Address address(Side side, model::Address::Family family) noexcept;
  /// A path whose client is on `from`. Valid until this object is moved or gone.
  [[nodiscard]] Path path(Side from, model::Address::Family family) const noexcept;

  [[nodiscard]] Forwarder& forwarder() noexcept { return *forwarder_; }
  [[nodiscard]] const Forwarder& forwarder() const noexcept { return *forwarder_; }

 private:
  DemoTailnet(NetNamespace a, NetNamespace b, std::unique_ptr<Forwarder> forwarder) noexcept
      : a_(std::move(a)), b_(std::move(b)), forwarder_(std::move(forwarder)) {}

  NetNamespace a_;
  NetNamespace b_;
  std::unique_ptr<Forwarder> forwarder_;  // last, so that its devices go before their namespaces
};

}  // namespace flowtally::demo
