// Goal: of TCP on the underlay exactly what tailscaled's sockets send and receive is in its total, in packets
// and bytes as they cross the wire, from the first to the last.
//
// Method: TCP sockets with tailscaled's mark, in bulk both ways, so that the kernel makes super-packets; a
// tap on the device makes a second count.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "demo/sockets.hpp"
#include "model/address_text.hpp"
#include "net/capture/node.hpp"
#include "net/capture/underlay_net.hpp"
#include "net/underlay/wire_tap.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

/// A connection from the node to its peer.
struct Connection {
  Connection(const Wire& wire, const std::string& to, int mark) {
    const auto remote = model::parse_endpoint(to).value();
    const auto listener = demo::listen_on(wire.peer(), remote).value();
    node = base::UniqueFd(::socket(demo::domain_of(remote.address), SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::setsockopt(node.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0);
    const auto address = demo::SocketAddress::of(remote);
    REQUIRE(::connect(node.get(), address.get(), address.bytes) == 0);
    pollfd ready{.fd = listener.get(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&ready, 1, 10'000) == 1);
    peer = base::UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(peer.valid());
    sockaddr_storage local{};
    socklen_t bytes = sizeof(local);
    REQUIRE(::getsockname(node.get(), reinterpret_cast<sockaddr*>(&local), &bytes) == 0);
    // Both families have the port in the same place.
    node_port = ntohs(reinterpret_cast<const sockaddr_in&>(local).sin_port);
  }

  base::UniqueFd node;
  base::UniqueFd peer;
  std::uint16_t node_port = 0;
};

void pass_bytes(const base::UniqueFd& from, const base::UniqueFd& to, std::size_t bytes) {
  std::thread sender([&] {
    const std::vector<char> block(1 << 16, 'x');
    for (std::size_t left = bytes; left > 0;) {
      const auto sent = ::send(from.get(), block.data(), std::min(left, block.size()), 0);
      if (sent <= 0) return;
      left -= static_cast<std::size_t>(sent);
    }
  });
  std::vector<char> block(1 << 16);
  std::size_t received = 0;
  while (received < bytes) {
    const auto length = ::recv(to.get(), block.data(), block.size(), 0);
    if (length <= 0) break;
    received += static_cast<std::size_t>(length);
  }
  sender.join();
  CHECK(received == bytes);
}

/// Ends the connection from the node's side, as far as the peer sees it.
void end_of(Connection& connection) {
  connection.node = {};
  char byte = 0;
  REQUIRE(::recv(connection.peer.get(), &byte, 1, 0) == 0);
  connection.peer = {};
}

}  // namespace

TEST_CASE("TCP of tailscaled is counted as it crosses the wire, to its last packet, and no other TCP",
          "[net]") {
  const Wire wire;
  wire.give_addresses();
  auto capturer = count_underlay({"under0"});
  for (const char* const to : {"192.0.2.2:443", "[2001:db8::2]:443"}) {
    WireTap tap("under0");
    Connection marked(wire, to, kTailscaledMark);
    Connection other(wire, to, 0);
    model::Counters counted;
    const auto take = [&] {
      const model::Window window = drain(*capturer);
      CHECK(window.underlay.hook.zero());
      counted += window.underlay.tcp;
      tap.read();
    };
    for (int round = 0; round < 4; ++round) {
      pass_bytes(marked.node, marked.peer, 2'000'000);
      pass_bytes(marked.peer, marked.node, 3'000'000);
      pass_bytes(other.peer, other.node, 200'000);
      pass_bytes(other.node, other.peer, 200'000);
      take();
    }
    // The peer's last packet then finds a socket that has ended.
    end_of(marked);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    do {
      take();
    } while (counted != tap.sum(IPPROTO_TCP, marked.node_port) &&
             std::chrono::steady_clock::now() < deadline);
    CHECK(counted == tap.sum(IPPROTO_TCP, marked.node_port));
    CHECK(tap.sum(IPPROTO_TCP, other.node_port).tx_bytes > 800'000);
    CHECK(tap.super_packets() > 20);
    CHECK(counted.tx_bytes > 8'000'000);
    CHECK(counted.rx_bytes > 12'000'000);
  }
}

TEST_CASE("TCP that somebody else answers on a port which tailscaled uses elsewhere is not its", "[net]") {
  const Wire wire;
  wire.give_addresses();
  auto capturer = count_underlay({"under0"});
  Connection marked(wire, "192.0.2.2:443", kTailscaledMark);
  const model::Counters before = drain(*capturer).underlay.tcp;
  CHECK(before.tx_packets == 2);  // SYN and the answer to its answer
  CHECK(before.rx_packets == 1);
  // The same local port, another peer port, no mark: the kernel lets one port be used for both.
  const int port = marked.node_port;
  const base::UniqueFd same_port(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  REQUIRE(::setsockopt(marked.node.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
  REQUIRE(::setsockopt(same_port.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
  REQUIRE(demo::bind_to(same_port.get(), {.address = model::parse_address("192.0.2.1").value(),
                                          .port = static_cast<std::uint16_t>(port)}));
  const auto remote = model::parse_endpoint("192.0.2.2:80").value();
  const auto listener = demo::listen_on(wire.peer(), remote).value();
  const auto address = demo::SocketAddress::of(remote);
  REQUIRE(::connect(same_port.get(), address.get(), address.bytes) == 0);
  CHECK(drain(*capturer).underlay.tcp.zero());
}

}  // namespace flowtally::test
