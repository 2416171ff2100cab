// How the programs come to know tailscaled's ports by themselves, and which of its TCP they recognise.
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/unique_fd.hpp"
#include "bpf/underlay/underlay_rig.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using capture::Direction;
using support::packet;
constexpr std::uint8_t kPayload = 59;
constexpr std::uint16_t kNewPort = 33333;

void send_from(UnderlayRig& rig, std::uint16_t port, Bytes payload, std::uint32_t mark = kTailscaledMark,
               std::uint32_t gso_size = 0) {
  rig.run(Direction::kTx,
          packet()
              .ipv4(kOwn4, "198.51.100.9")
              .udp(port, 7)
              .transport(kPayload, std::move(payload))
              .gso_size(gso_size),
          mark);
}

TEST_CASE("a port is learned from a marked datagram that looks like WireGuard or disco, and from no other") {
  struct {
    const char* what;
    Bytes payload;
    ft_port becomes;
    std::uint32_t gso_size = 0;
  } const cases[] = {
      {"a handshake initiation", wireguard(1, 148), FT_PORT_LEARNED},
      {"a handshake response", wireguard(2, 92), FT_PORT_LEARNED},
      {"a cookie reply", wireguard(3, 64), FT_PORT_LEARNED},
      {"a keepalive", wireguard(4, 32), FT_PORT_LEARNED},
      {"data", wireguard(4, 1312), FT_PORT_LEARNED},
      {"a batch of data", wireguard(4, 2032), FT_PORT_LEARNED, 1312},
      {"disco", disco(), FT_PORT_LEARNED},
      {"an initiation that is too long", wireguard(1, 149), FT_PORT_FOREIGN},
      {"data that is not padded", wireguard(4, 33), FT_PORT_FOREIGN},
      {"data without a tag", wireguard(4, 16), FT_PORT_FOREIGN},
      {"type 0", wireguard(0, 64), FT_PORT_FOREIGN},
      {"type 5", wireguard(5, 64), FT_PORT_FOREIGN},
      {"STUN", stun(), FT_PORT_FOREIGN},
      {"disco through a relay", geneve(0x7a11, disco()), FT_PORT_FOREIGN},
      {"WireGuard through a relay", geneve(0x7a12, wireguard(4, 96)), FT_PORT_FOREIGN},
      {"nothing", {}, FT_PORT_FOREIGN},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    UnderlayRig rig;
    send_from(rig, kNewPort, one.payload, 0, one.gso_size);
    CHECK(rig.udp_port(kNewPort) == FT_PORT_FOREIGN);
    send_from(rig, kNewPort, one.payload, kTailscaledMark, one.gso_size);
    CHECK(rig.udp_port(kNewPort) == one.becomes);
    CHECK((rig.counted() == "") == (one.becomes == FT_PORT_FOREIGN));
  }
}

TEST_CASE("what comes back to a learned port is counted from then on") {
  UnderlayRig rig;
  const auto answer =
      packet().ipv4("198.51.100.9", kOwn4).udp(7, kNewPort).transport(kPayload, wireguard(2, 92));
  rig.run(Direction::kRx, answer);
  CHECK(rig.counted() == "");
  send_from(rig, kNewPort, wireguard(1, 148));
  rig.run(Direction::kRx, answer);
  CHECK(rig.counted() == "c6336409:7: tx 1/148 rx 1/92");
}

TEST_CASE("any marked datagram keeps a fading port, what arrives does not, and a told one stays told") {
  UnderlayRig rig;
  rig.set_port(kNewPort, FT_PORT_FADING);
  rig.run(Direction::kRx,
          packet().ipv4("198.51.100.9", kOwn4).udp(7, kNewPort).transport(kPayload, wireguard(4, 32)));
  CHECK(rig.udp_port(kNewPort) == FT_PORT_FADING);
  CHECK(rig.counted() == "c6336409:7: tx 0/0 rx 1/32");
  send_from(rig, kNewPort, stun());
  CHECK(rig.udp_port(kNewPort) == FT_PORT_LEARNED);
  send_from(rig, kToldPort, wireguard(4, 32));
  CHECK(rig.udp_port(kToldPort) == FT_PORT_TOLD);
}

// ---- TCP

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t bytes = sizeof(address);
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes) == 0);
  return ntohs(address.sin_port);
}

/// A TCP connection on loopback, its client's socket marked.
struct Connection {
  explicit Connection(std::uint32_t mark) {
    const base::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in any = loopback(0);
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    server_port = port_of(listener.get());
    client = base::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::setsockopt(client.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0);
    const sockaddr_in to = loopback(server_port);
    REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0);
    server = base::UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    client_port = port_of(client.get());
  }

  [[nodiscard]] PacketBuilder out() const {
    return packet().ipv4("127.0.0.1", "127.0.0.1").tcp(client_port, server_port);
  }
  [[nodiscard]] PacketBuilder back() const {
    return packet().ipv4("127.0.0.1", "127.0.0.1").tcp(server_port, client_port);
  }

  base::UniqueFd client;
  base::UniqueFd server;
  std::uint16_t client_port = 0;
  std::uint16_t server_port = 0;
};

TEST_CASE("TCP with the mark is a total of packets and bytes as they are on the wire") {
  UnderlayRig rig;
  rig.add_own_address("127.0.0.1");
  const Connection connection(kTailscaledMark);
  rig.run(Direction::kRx, connection.back());
  CHECK(rig.counted() == "");  // nothing was sent yet, as far as the program knows
  rig.run(Direction::kTx, connection.out().payload(100), kTailscaledMark);
  rig.run(Direction::kTx, connection.out().payload(100), 0);
  CHECK(rig.tcp_port(connection.client_port) == FT_PORT_LEARNED);
  rig.run(Direction::kRx, connection.back().payload(2000).gso_size(1000));
  rig.run(Direction::kRx, connection.back(), 0, UnderlayRig::Framing::kEthernet);
  CHECK(rig.counted() == "tcp: tx 1/140 rx 3/2120");
}

TEST_CASE("TCP in a short frame, which is padded, has the bytes of its packet") {
  UnderlayRig rig;
  rig.add_own_address("127.0.0.1");
  const Connection connection(kTailscaledMark);
  rig.run(Direction::kTx, connection.out(), kTailscaledMark);
  rig.run(Direction::kRx, connection.back().pad(6), 0, UnderlayRig::Framing::kEthernet);
  CHECK(rig.counted() == "tcp: tx 1/40 rx 1/40");
  rig.clear();
  rig.run(Direction::kTx, packet().ipv6(kOwn6, "2001:db8:9::9").tcp(5, 443).payload(2).pad(9),
          kTailscaledMark);
  CHECK(rig.counted() == "tcp: tx 1/62 rx 0/0");
}

TEST_CASE("TCP for a port that tailscaled uses too, but for a socket without its mark, is not its") {
  UnderlayRig rig;
  rig.add_own_address("127.0.0.1");
  const Connection foreign(kForeignMark);
  rig.run(Direction::kTx, packet().ipv4(kOwn4, "198.51.100.9").tcp(foreign.client_port, 443),
          kTailscaledMark);
  CHECK(rig.tcp_port(foreign.client_port) == FT_PORT_LEARNED);
  rig.run(Direction::kRx, foreign.back().payload(100));
  rig.run(Direction::kRx, packet().ipv4("198.51.100.77", kOwn4).tcp(443, foreign.client_port));
  CHECK(rig.counted() == "tcp: tx 1/40 rx 0/0");
}

TEST_CASE("the last packets of a connection that tailscaled has closed are still its") {
  UnderlayRig rig;
  rig.add_own_address("127.0.0.1");
  Connection connection(kTailscaledMark);
  rig.run(Direction::kTx, connection.out(), kTailscaledMark);
  connection.client = {};
  char byte = 0;
  REQUIRE(::recv(connection.server.get(), &byte, 1, 0) == 0);
  connection.server = {};  // now the client's side waits out its time
  rig.run(Direction::kRx, connection.back());
  CHECK(rig.counted() == "tcp: tx 1/40 rx 1/40");
}

}  // namespace
}  // namespace flowtally::test
