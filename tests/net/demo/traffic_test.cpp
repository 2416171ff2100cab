#include "demo/traffic.hpp"

#include <future>

#include "net/demo/demo_fixture.hpp"

using namespace flowtally;
using demo::DemoTailnet;
using demo::Side;
using model::Counters;
using test::Family;
using test::must;

namespace {

struct Ends {
  Side from;
  Family family;
};

std::size_t ip_bytes(Family family) { return family == Family::kV4 ? 20 : 40; }

/// Counts as node A sees them, of traffic that A sends, or B sends.
Counters seen_from(Side from, Counters of_sender) {
  if (from == Side::kA) return of_sender;
  return {.tx_packets = of_sender.rx_packets,
          .tx_bytes = of_sender.rx_bytes,
          .rx_packets = of_sender.tx_packets,
          .rx_bytes = of_sender.tx_bytes};
}

/// The ends of every case below.
Ends each_way() {
  return GENERATE(Ends{Side::kA, Family::kV4}, Ends{Side::kA, Family::kV6}, Ends{Side::kB, Family::kV4},
                  Ends{Side::kB, Family::kV6});
}

}  // namespace

TEST_CASE("each ping is a packet of 64 bytes and its IP header, each way") {
  const Ends ends = each_way();
  DemoTailnet tailnet = test::make_tailnet();
  const auto report = must(demo::ping(tailnet.path(ends.from, ends.family), 5, {}));
  CHECK(report.sent == 5);
  CHECK(report.answered == 5);
  test::check_conservation(tailnet);
  const std::uint64_t bytes = 5 * (64 + ip_bytes(ends.family));
  const Counters expected{.tx_packets = 5, .tx_bytes = bytes, .rx_packets = 5, .rx_bytes = bytes};
  CHECK(test::counted_at_a(tailnet, ends.family == Family::kV4 ? 1 : 58) == expected);
}

TEST_CASE("each DNS query and each answer is a packet") {
  const Ends ends = each_way();
  DemoTailnet tailnet = test::make_tailnet();
  const auto report = must(demo::dns_queries(tailnet.path(ends.from, ends.family), 10, {}));
  CHECK(report.answered == 10);
  test::check_conservation(tailnet);
  const std::uint64_t headers = 10 * (8 + ip_bytes(ends.family));
  CHECK(test::counted_at_a(tailnet, 17) ==
        seen_from(ends.from, {.tx_packets = 10,
                              .tx_bytes = report.bytes_sent + headers,
                              .rx_packets = 10,
                              .rx_bytes = report.bytes_received + headers}));
}

TEST_CASE("HTTP answers come whole, a connection each") {
  const Ends ends = each_way();
  DemoTailnet tailnet = test::make_tailnet();
  const auto report = must(demo::http_get(tailnet.path(ends.from, ends.family), 3, 20000, {}));
  CHECK(report.answered == 3);
  CHECK(report.bytes_received == 60000);
  test::check_conservation(tailnet);
  CHECK(tailnet.forwarder().counted(Side::kA).flows().size() == 3);
}

TEST_CASE("a burst under UDP_SEGMENT is ten packets on the wire and one on the device") {
  const Ends ends = each_way();
  DemoTailnet tailnet = test::make_tailnet();
  const auto report = must(demo::udp_segments(tailnet.path(ends.from, ends.family), 20, {}));
  CHECK(report.sent == 200);
  test::check_conservation(tailnet);
  const std::uint64_t bytes = report.bytes_sent + 200 * (8 + ip_bytes(ends.family));
  CHECK(test::counted_at_a(tailnet, 17) == seen_from(ends.from, {.tx_packets = 200, .tx_bytes = bytes}));
  if (!tailnet.forwarder().has_udp_offload()) SKIP("this kernel's TUN has no UDP segmentation (Linux 6.2)");
  CHECK(tailnet.forwarder().super_packets(ends.from).read == 20);
  CHECK(tailnet.forwarder().super_packets(ends.from == Side::kA ? Side::kB : Side::kA).written == 20);
}

TEST_CASE("a datagram of 3000 bytes is a first fragment with ports and two later ones without") {
  const Ends ends = each_way();
  DemoTailnet tailnet = test::make_tailnet();
  must(demo::udp_fragments(tailnet.path(ends.from, ends.family), 4, {}));
  test::check_conservation(tailnet);
  const bool v4 = ends.family == Family::kV4;
  const std::uint64_t header = v4 ? 20 : 48;            // IPv6: with the fragment header
  const std::uint64_t piece = (1280 - header) / 8 * 8;  // offsets count units of eight bytes
  const std::uint64_t first = header + piece;
  const std::uint64_t later = 2 * header + (8 + 3000 - piece);
  CHECK(test::counted_at_a(tailnet, 17) == seen_from(ends.from, {.tx_packets = 4, .tx_bytes = 4 * first}));
  CHECK(test::counted_at_a(tailnet, 255) == seen_from(ends.from, {.tx_packets = 8, .tx_bytes = 4 * later}));
}

TEST_CASE("mixed traffic does one after the other, and what has no amount is left out") {
  DemoTailnet tailnet = test::make_tailnet();
  const auto path = tailnet.path(Side::kA, Family::kV6);
  const auto reports = must(demo::mixed_traffic(path, {.udp_bursts = 0, .tcp_bytes = 1'000'000}, {}));
  REQUIRE(reports.size() == 5);
  CHECK(reports[0].what == "ping");
  CHECK(reports[4].bytes_received == 1'000'000);
  for (const demo::TrafficReport& report : reports) CHECK(report.family == Family::kV6);
  test::check_conservation(tailnet);
}

TEST_CASE("a stop ends a transfer before its time") {
  DemoTailnet tailnet = test::make_tailnet();
  std::stop_source stop;
  auto transfer = std::async(std::launch::async, [&] {
    return demo::tcp_bulk(tailnet.path(Side::kA, Family::kV4), std::uint64_t{1} << 40U,
                          {.deadline = std::chrono::minutes(10), .stop = stop.get_token()});
  });
  CHECK_FALSE(tailnet.forwarder().quiet_for(std::chrono::milliseconds(1000), std::chrono::milliseconds(200)));
  stop.request_stop();
  REQUIRE(transfer.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  const auto report = transfer.get();
  REQUIRE_FALSE(report);
  CHECK(report.error().sys_errno() == ECANCELED);
}
