// This file is the underlay of the net tests: the thread's namespace as a node, another as its peer on the
// same wire, and UDP sockets that stand in for those of tailscaled.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "capture/capturer.hpp"
#include "demo/net_namespace.hpp"
#include "model/window.hpp"

namespace flowtally::test {

/// LinuxBypassMark of Tailscale's tsconst/linuxfw.go.
inline constexpr int kTailscaledMark = 0x80000;

/// Runs a command of the shell, in the thread's namespace or another; the test fails if it fails.
void shell(const std::string& line);
void shell_in(const demo::NetNamespace& space, const std::string& line);

/// Enters a fresh namespace, the node, and makes another one, its peer. They are joined by a pair of veth
/// devices that are up and have no addresses yet: `under0` here, `peer0` there.
class Wire {
 public:
  Wire();
  /// 192.0.2.1/24 and 2001:db8::1/64 to the device `node` here, .2 and ::2 to the device `peer` there. The
  /// two have found each other when it returns.
  void give_addresses(const std::string& node = "under0", const std::string& peer = "peer0") const;
  /// The pair of devices anew, without addresses, after somebody has deleted it.
  void make_devices() const;

  [[nodiscard]] const demo::NetNamespace& peer() const noexcept { return peer_; }

 private:
  demo::NetNamespace peer_;
};

using Payload = std::vector<std::uint8_t>;
[[nodiscard]] Payload wireguard(std::size_t size);  ///< a data message
[[nodiscard]] Payload disco();
[[nodiscard]] Payload stun();

/// A bound UDP socket. Nothing that is sent to it is lost for want of room.
class UdpSocket {
 public:
  /// `at`: "192.0.2.1:41641" or "[2001:db8::1]:41641".
  explicit UdpSocket(const std::string& at, int mark = 0);
  UdpSocket(const demo::NetNamespace& space, const std::string& at);

  /// One datagram; with `segment` as many of that size as it takes, in one super-packet (UDP_SEGMENT).
  void send(const std::string& to, const Payload& payload, std::uint16_t segment = 0) const;
  /// Waits for that many datagrams and takes them; the test fails at a deadline.
  void expect(std::size_t datagrams) const;

 private:
  void open(const std::string& at, int mark);
  base::UniqueFd fd_;
};

/// `payload` from one to the other, and its arrival.
void pass(const UdpSocket& from, const UdpSocket& to, const std::string& address, const Payload& payload);

/// A capture of the underlay, and of a main interface that is not there; attached to these devices and no
/// others.
[[nodiscard]] std::unique_ptr<capture::Capturer> count_underlay(
    const std::vector<std::string>& devices, capture::AttachMode mode = capture::AttachMode::kAuto,
    const std::vector<std::string>& interfaces = {});

/// What is expected of a window: by remote endpoint, as text.
using ByEndpoint = std::map<std::string, model::Counters>;
[[nodiscard]] ByEndpoint physical_of(const model::Window& window);

}  // namespace flowtally::test
