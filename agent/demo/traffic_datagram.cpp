#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <netinet/in.h>

#include "demo/packet_bytes.hpp"
#include "demo/sockets.hpp"
#include "demo/traffic.hpp"

namespace flowtally::demo {
namespace {

constexpr std::uint16_t kDnsPort = 53;
constexpr std::uint16_t kBurstPort = 5202;
constexpr std::uint16_t kFragmentPort = 5203;
constexpr int kSolUdp = 17;
constexpr int kUdpSegment = 103;  // UDP_SEGMENT of linux/udp.h
constexpr std::size_t kBurstSegments = 10;
constexpr std::size_t kSegmentBytes = 1200;  // an IPv6 packet of 1248 bytes: within the MTU of 1280
constexpr std::size_t kLastSegmentBytes = 300;
constexpr std::size_t kFragmentedBytes = 3000;
constexpr std::uint16_t kEchoIdentifier = 0x6674;
constexpr std::size_t kEchoBytes = 64;  // with the ICMP header, as ping(8) sends

base::Error wrong(std::string what) { return {base::ErrorCode::kCorrupt, std::move(what)}; }

/// A client whose other end is fixed, and the server's socket.
struct UdpPair {
  base::UniqueFd client;
  base::UniqueFd server;
};

base::Result<UdpPair> open_pair(const Path& path, std::uint16_t port) {
  const model::Endpoint remote{.address = path.to, .port = port};
  auto server = open_socket(path.to_space, domain_of(path.to), SOCK_DGRAM);
  if (!server) return base::fail(std::move(server.error()));
  if (auto done = bind_to(server->get(), remote); !done) return base::fail(std::move(done.error()));
  auto client = open_socket(path.from_space, domain_of(path.to), SOCK_DGRAM);
  if (!client) return base::fail(std::move(client.error()));
  if (auto done = connect_to(client->get(), remote); !done) return base::fail(std::move(done.error()));
  return UdpPair{.client = std::move(*client), .server = std::move(*server)};
}

/// One datagram must come, of exactly this size.
base::Status receive_datagram(int fd, std::size_t bytes, const Patience& patience) {
  std::array<std::uint8_t, 4096> into{};
  const auto received = receive_some(fd, into, patience);
  if (!received) return base::fail(received.error());
  if (*received != bytes)
    return base::fail(wrong(fmt::format("a datagram of {} bytes, not {}", *received, bytes)));
  return {};
}

/// A query for the IPv4 address of node.demo.example (RFC 1035 4.1).
std::vector<std::uint8_t> dns_query(std::uint16_t identifier) {
  std::vector<std::uint8_t> query(12);
  put16(query, 0, identifier);
  put16(query, 2, 0x0100);  // recursion desired
  put16(query, 4, 1);       // one question
  for (const std::string_view label : {"node", "demo", "example", ""}) {
    query.push_back(static_cast<std::uint8_t>(label.size()));
    query.insert(query.end(), label.begin(), label.end());
  }
  query.insert(query.end(), {0, 1, 0, 1});  // type A, class IN
  return query;
}

std::vector<std::uint8_t> dns_answer(std::vector<std::uint8_t> query) {
  put16(query, 2, 0x8180);  // response, recursion available
  put16(query, 6, 1);       // one answer: the name at offset 12, A, IN, 60 s, 192.0.2.1
  query.insert(query.end(), {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1});
  return query;
}

/// The query as the server gets it, then the answer as the client gets it. Gives the answer's size.
base::Result<std::size_t> serve_dns(const UdpPair& pair, std::uint16_t identifier, const Patience& patience) {
  std::vector<std::uint8_t> query(512);
  sockaddr_storage asker{};
  socklen_t asker_bytes = sizeof(asker);
  if (auto ready = patience.wait(pair.server.get(), POLLIN); !ready)
    return base::fail(std::move(ready.error()));
  const ssize_t received = ::recvfrom(pair.server.get(), query.data(), query.size(), 0,
                                      reinterpret_cast<sockaddr*>(&asker), &asker_bytes);
  if (received < 12) return base::fail(wrong("the query did not arrive whole"));
  query.resize(static_cast<std::size_t>(received));

  const std::vector<std::uint8_t> answer = dns_answer(std::move(query));
  if (::sendto(pair.server.get(), answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&asker),
               asker_bytes) < 0) {
    return base::fail(base::Error::from_errno(errno, "sending the answer"));
  }
  std::array<std::uint8_t, 512> got{};
  const auto bytes = receive_some(pair.client.get(), got, patience);
  if (!bytes) return base::fail(bytes.error());
  if (*bytes != answer.size() || get16(got, 0) != identifier) return base::fail(wrong("another answer"));
  return *bytes;
}

/// An echo request (RFC 792, RFC 4443 4.1). The kernel makes the checksum of ICMPv6, the sender that of ICMP.
std::vector<std::uint8_t> echo_request(bool v4, std::uint16_t sequence) {
  std::vector<std::uint8_t> request(kEchoBytes);
  request[0] = v4 ? 8 : 128;
  put16(request, 4, kEchoIdentifier);
  put16(request, 6, sequence);
  if (v4) put16(request, 2, static_cast<std::uint16_t>(~ones_sum(request)));
  return request;
}

/// Waits for the reply with this sequence number, past anything else the raw socket shows. Gives its size.
base::Result<std::size_t> echo_reply(int fd, bool v4, std::uint16_t sequence, const Patience& patience) {
  std::array<std::uint8_t, 2048> into{};
  for (;;) {
    const auto received = receive_some(fd, into, patience);
    if (!received) return base::fail(received.error());
    PacketView message = PacketView(into).first(*received);
    if (v4) {  // raw(7): with the IP header for IPv4, without for IPv6
      const std::size_t header = message.empty() ? 0 : (message[0] & 0x0fU) * std::size_t{4};
      message = message.subspan(std::min(header, message.size()));
    }
    const bool reply = message.size() >= 8 && message[0] == (v4 ? 0 : 129);
    if (reply && get16(message, 4) == kEchoIdentifier && get16(message, 6) == sequence) return message.size();
  }
}

}  // namespace

base::Result<TrafficReport> ping(const Path& path, std::size_t count, const TrafficLimits& limits) {
  const auto failed = [](base::Error error) { return base::fail(std::move(error).during("ping")); };
  const Patience patience(limits.deadline, limits.stop);
  const bool v4 = path.to.family == model::Address::Family::kV4;
  const auto fd = open_socket(path.from_space, domain_of(path.to), SOCK_RAW,
                              v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6});
  if (!fd) return failed(fd.error());
  if (auto done = connect_to(fd->get(), {.address = path.to}); !done) return failed(std::move(done.error()));

  TrafficReport report{.what = "ping", .family = path.to.family};
  for (std::size_t index = 0; index < count; index++) {
    const auto sequence = static_cast<std::uint16_t>(index + 1);
    const auto sent = send_some(fd->get(), echo_request(v4, sequence), patience);
    if (!sent) return failed(sent.error());
    const auto reply = echo_reply(fd->get(), v4, sequence, patience);
    if (!reply) return failed(reply.error());
    report.sent++;
    report.answered++;
    report.bytes_sent += *sent;
    report.bytes_received += *reply;
  }
  return report;
}

base::Result<TrafficReport> dns_queries(const Path& path, std::size_t count, const TrafficLimits& limits) {
  const auto failed = [](base::Error error) { return base::fail(std::move(error).during("DNS")); };
  const Patience patience(limits.deadline, limits.stop);
  const auto pair = open_pair(path, kDnsPort);
  if (!pair) return failed(pair.error());
  TrafficReport report{.what = "DNS", .family = path.to.family};
  for (std::size_t index = 0; index < count; index++) {
    const auto identifier = static_cast<std::uint16_t>(index + 1);
    const auto sent = send_some(pair->client.get(), dns_query(identifier), patience);
    if (!sent) return failed(sent.error());
    const auto answer = serve_dns(*pair, identifier, patience);
    if (!answer) return failed(answer.error());
    report.sent++;
    report.answered++;
    report.bytes_sent += *sent;
    report.bytes_received += *answer;
  }
  return report;
}

base::Result<TrafficReport> udp_segments(const Path& path, std::size_t count, const TrafficLimits& limits) {
  const auto failed = [](base::Error error) { return base::fail(std::move(error).during("UDP_SEGMENT")); };
  const Patience patience(limits.deadline, limits.stop);
  const auto pair = open_pair(path, kBurstPort);
  if (!pair) return failed(pair.error());
  if (auto done = set_option(pair->client.get(), kSolUdp, kUdpSegment, int{kSegmentBytes}); !done) {
    return failed(std::move(done.error()));
  }
  const std::vector<std::uint8_t> burst((kBurstSegments - 1) * kSegmentBytes + kLastSegmentBytes, 0x5a);
  TrafficReport report{.what = "UDP_SEGMENT", .family = path.to.family};
  for (std::size_t index = 0; index < count; index++) {
    const auto sent = send_some(pair->client.get(), burst, patience);
    if (!sent) return failed(sent.error());
    for (std::size_t segment = 0; segment < kBurstSegments; segment++) {
      const std::size_t bytes = segment + 1 == kBurstSegments ? kLastSegmentBytes : kSegmentBytes;
      if (auto got = receive_datagram(pair->server.get(), bytes, patience); !got)
        return failed(std::move(got.error()));
      report.bytes_received += bytes;
    }
    report.sent += kBurstSegments;
    report.bytes_sent += *sent;
  }
  return report;
}

base::Result<TrafficReport> udp_fragments(const Path& path, std::size_t count, const TrafficLimits& limits) {
  const auto failed = [](base::Error error) { return base::fail(std::move(error).during("UDP fragments")); };
  const Patience patience(limits.deadline, limits.stop);
  const auto pair = open_pair(path, kFragmentPort);
  if (!pair) return failed(pair.error());
  const std::vector<std::uint8_t> datagram(kFragmentedBytes, 0xa5);
  TrafficReport report{.what = "UDP fragments", .family = path.to.family};
  for (std::size_t index = 0; index < count; index++) {
    const auto sent = send_some(pair->client.get(), datagram, patience);
    if (!sent) return failed(sent.error());
    if (auto got = receive_datagram(pair->server.get(), kFragmentedBytes, patience); !got) {
      return failed(std::move(got.error()));
    }
    report.sent++;
    report.bytes_sent += *sent;
    report.bytes_received += kFragmentedBytes;
  }
  return report;
}

}  // namespace flowtally::demo
