#include "net/capture/underlay_net.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo/sockets.hpp"
#include "model/address_text.hpp"
#include "net/capture/node.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

demo::NetNamespace fresh_peer() {
  enter_fresh_namespace();
  return demo::NetNamespace::make().value();
}

Payload payload(std::initializer_list<std::uint8_t> head, std::size_t size) {
  Payload bytes(size, 0xa5);
  std::copy(head.begin(), head.end(), bytes.begin());
  return bytes;
}

/// Attached devices by what the events say of them.
std::set<std::string> attached_in(const std::vector<capture::Event>& events) {
  std::set<std::string> devices;
  for (const auto& event : events) {
    INFO(event.text);
    REQUIRE(event.kind != capture::Event::Kind::kAttachFailed);
    if (event.kind != capture::Event::Kind::kUnderlay) continue;
    const std::size_t on = event.text.rfind(" on ") + 4;
    devices.insert(event.text.substr(on, event.text.find(' ', on) - on));
  }
  return devices;
}

std::string text_of(const model::Endpoint& endpoint) {
  const auto& bytes = endpoint.address.bytes;
  if (endpoint.address.family == model::Address::Family::kV4) {
    return fmt::format("{}.{}.{}.{}:{}", bytes[0], bytes[1], bytes[2], bytes[3], endpoint.port);
  }
  // The tests' addresses are 2001:db8::N.
  return fmt::format("[2001:db8::{:x}]:{}", bytes[15], endpoint.port);
}

}  // namespace

void shell(const std::string& line) {
  INFO(line);
  REQUIRE(std::system((line + " >/dev/null 2>&1").c_str()) == 0);
}

void shell_in(const demo::NetNamespace& space, const std::string& line) {
  REQUIRE(space.run([&]() -> base::Status {
    shell(line);
    return {};
  }));
}

Wire::Wire() : peer_(fresh_peer()) { make_devices(); }

void Wire::make_devices() const {
  shell("ip link add under0 type veth peer name peer0");
  shell(fmt::format("ip link set peer0 netns /proc/{}/fd/{}", ::getpid(), peer_.fd()));
  shell("ip link set under0 up");
  shell_in(peer_, "ip link set peer0 up");
}

void Wire::give_addresses(const std::string& node, const std::string& peer) const {
  shell_in(peer_,
           fmt::format("ip addr add 192.0.2.2/24 dev {0} && ip addr add 2001:db8::2/64 dev {0} nodad", peer));
  shell(fmt::format("ip addr add 192.0.2.1/24 dev {0} && ip addr add 2001:db8::1/64 dev {0} nodad", node));
  shell("ping -c 1 -w 5 192.0.2.2");
  shell("ping -c 1 -w 5 2001:db8::2");
}

Payload wireguard(std::size_t size) { return payload({4, 0, 0, 0}, size); }
Payload disco() { return payload({0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac}, 110); }
Payload stun() { return payload({0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42}, 28); }

UdpSocket::UdpSocket(const std::string& at, int mark) { open(at, mark); }

UdpSocket::UdpSocket(const demo::NetNamespace& space, const std::string& at) {
  REQUIRE(space.run([&]() -> base::Status {
    open(at, 0);
    return {};
  }));
}

void UdpSocket::open(const std::string& at, int mark) {
  const model::Endpoint local = model::parse_endpoint(at).value();
  fd_ = base::UniqueFd(::socket(demo::domain_of(local.address), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  REQUIRE(fd_.valid());
  constexpr int kRoom = 64 << 20;
  REQUIRE(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kRoom, sizeof(kRoom)) == 0);
  REQUIRE(::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kRoom, sizeof(kRoom)) == 0);
  REQUIRE(::setsockopt(fd_.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0);
  REQUIRE(demo::bind_to(fd_.get(), local));
}

void UdpSocket::send(const std::string& to, const Payload& payload, std::uint16_t segment) const {
  auto address = demo::SocketAddress::of(model::parse_endpoint(to).value());
  iovec part{.iov_base = const_cast<std::uint8_t*>(payload.data()), .iov_len = payload.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(segment))> control{};
  msghdr message{};
  message.msg_name = &address.storage;
  message.msg_namelen = address.bytes;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (segment != 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof(segment));
    std::memcpy(CMSG_DATA(header), &segment, sizeof(segment));
  }
  REQUIRE(::sendmsg(fd_.get(), &message, 0) == static_cast<ssize_t>(payload.size()));
}

void UdpSocket::expect(std::size_t datagrams) const {
  std::array<std::uint8_t, 65536> buffer;
  for (std::size_t at = 0; at < datagrams; ++at) {
    pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&ready, 1, 5000) == 1);
    REQUIRE(::recv(fd_.get(), buffer.data(), buffer.size(), 0) >= 0);
  }
}

void pass(const UdpSocket& from, const UdpSocket& to, const std::string& address, const Payload& payload) {
  from.send(address, payload);
  to.expect(1);
}

std::unique_ptr<capture::Capturer> count_underlay(const std::vector<std::string>& devices,
                                                  capture::AttachMode mode,
                                                  const std::vector<std::string>& interfaces) {
  auto capturer =
      capture::Capturer::open({.mode = mode, .underlay = {.enabled = true, .interfaces = interfaces}});
  INFO((capturer ? std::string() : capturer.error().text()));
  REQUIRE(capturer);
  CHECK(attached_in((*capturer)->look_at_interface()) == std::set(devices.begin(), devices.end()));
  return std::move(*capturer);
}

ByEndpoint physical_of(const model::Window& window) {
  ByEndpoint endpoints;
  for (const model::Flow& flow : window.physical) endpoints[text_of(flow.remote)] += flow.counters;
  CHECK(endpoints.size() == window.physical.size());
  return endpoints;
}

}  // namespace flowtally::test
