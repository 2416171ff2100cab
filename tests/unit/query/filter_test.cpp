#include "query/filter.hpp"

#include <string>

#include "model/address_text.hpp"
#include "query/names.hpp"
#include "query/terms.hpp"
#include "support/catch.hpp"

namespace flowtally::query {
namespace {

Filter filter(const std::string& text) {
  auto parsed = Filter::parse(text);
  INFO(text << "\n" << (parsed ? std::string() : parsed.error().text()));
  REQUIRE(parsed);
  return std::move(*parsed);
}

std::string fault(const std::string& text) {
  auto parsed = Filter::parse(text);
  INFO(text);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code() == base::ErrorCode::kInvalidArgument);
  return parsed.error().text();
}

/// web1 (100.64.0.1) asks db1 (100.64.0.2) over TCP 443; 1,000,000 bytes out, 500 in.
struct Sample {
  Sample() { line.index_nodes(); }

  Line line{.node_id = "nWeb1CNTRL",
            .start_ns = 10,
            .end_ns = 20,
            .nodes = {{.id = "nWeb1CNTRL",
                       .name = "web1.tail1234.ts.net.",
                       .addresses = {model::parse_address("100.64.0.1").value()},
                       .user = "alice@example.com"},
                      {.id = "nDb1CNTRL",
                       .name = "db1.tail1234.ts.net.",
                       .addresses = {model::parse_address("100.64.0.2").value(),
                                     model::parse_address("fd7a:115c:a1e0::2").value()},
                       .tags = {"tag:db", "tag:prod"}}},
            .has_src_node = true};
  Connection connection{
      .traffic_class = model::TrafficClass::kVirtual,
      .flow = {.local = model::parse_endpoint("100.64.0.1:40000").value(),
               .remote = model::parse_endpoint("100.64.0.2:443").value(),
               .proto = 6,
               .counters = {.tx_packets = 700, .tx_bytes = 1'000'000, .rx_packets = 5, .rx_bytes = 500}}};

  [[nodiscard]] bool matches(const std::string& text) const { return filter(text).matches(line, connection); }
};

}  // namespace

TEST_CASE("each field asks for what it says", "[unit]") {
  const Sample sample;
  for (const char* const text : {"",
                                 "  ",
                                 "proto tcp",
                                 "proto 6",
                                 "tcp",
                                 "PROTO TCP",
                                 "proto != udp",
                                 "src 100.64.0.1",
                                 "dst 100.64.0.2",
                                 "host 100.64.0.2",
                                 "addr 100.64.0.1",
                                 "host 100.64.0.0/24",
                                 "src 100.64.0.0/10",
                                 "dst != 10.0.0.0/8",
                                 "sport 40000",
                                 "dport 443",
                                 "dport https",
                                 "port 443",
                                 "port 40000",
                                 "port 400-500",
                                 "port != 80",
                                 "src port 40000",
                                 "dst port https",
                                 "dport < 1024",
                                 "dport <= 443",
                                 "sport > 1024",
                                 "bytes > 1M",
                                 "bytes = 1000500",
                                 "bytes > 976Ki",
                                 "bytes < 1Mi",
                                 "bytes >= 1000500",
                                 "packets 705",
                                 "txbytes 1M",
                                 "rxbytes 500",
                                 "txpackets 700",
                                 "rxpackets < 6",
                                 "node web1",
                                 "node web1.tail1234.ts.net",
                                 "node nWeb1CNTRL",
                                 "node web*",
                                 "peer db1",
                                 "peer DB1",
                                 "peer \"db1.tail1234.ts.net.\"",
                                 "peer *1*",
                                 "user alice@example.com",
                                 "user alice*",
                                 "user ALICE*",
                                 "tag tag:db",
                                 "tag db",
                                 "tag pro*",
                                 "class virtual",
                                 "class != exit",
                                 "src web1",
                                 "dst db1",
                                 "host db*",
                                 "not udp",
                                 "!udp",
                                 "tcp and port 443",
                                 "tcp && port 443",
                                 "udp or port 443",
                                 "udp || port 443",
                                 "not (udp or port 80)",
                                 "tcp and (port 80 or port 443) and not exit1 "
                                 "or tcp"}) {
    if (std::string_view(text).find("exit1") != std::string_view::npos) continue;  // below: no such field
    INFO(text);
    CHECK(sample.matches(text));
  }
  for (const char* const text : {"udp",
                                 "proto 17",
                                 "proto != tcp",
                                 "src 100.64.0.2",
                                 "dst 100.64.0.1",
                                 "host 100.64.0.3",
                                 "src 10.0.0.0/8",
                                 "host ::/0",
                                 "src != 100.64.0.0/10",
                                 "sport 443",
                                 "dport 40000",
                                 "port 80",
                                 "port 444-39999",
                                 "port != 443",
                                 "bytes > 1000500",
                                 "bytes < 1M",
                                 "packets != 705",
                                 "node db1",
                                 "peer web1",
                                 "peer db",
                                 "user bob*",
                                 "tag web",
                                 "tag d",
                                 "class exit",
                                 "src db1",
                                 "host x*",
                                 "not tcp",
                                 "tcp and udp",
                                 "not (tcp or udp)"}) {
    INFO(text);
    CHECK_FALSE(sample.matches(text));
  }
}

TEST_CASE("`and` binds closer than `or`, `not` closest", "[unit]") {
  CHECK(filter("tcp or udp and port 53").text() == "proto = 6 or proto = 17 and port = 53");
  CHECK(filter("(tcp or udp) and port 53").text() == "(proto = 6 or proto = 17) and port = 53");
  CHECK(filter("not tcp and udp").text() == "not proto = 6 and proto = 17");
  CHECK(filter("not (tcp and udp)").text() == "not (proto = 6 and proto = 17)");
  const Sample sample;
  CHECK(sample.matches("tcp or udp and port 53"));
  CHECK_FALSE(sample.matches("(tcp or udp) and port 53"));
}

TEST_CASE("what is written reads as the same filter", "[unit]") {
  for (const char* const text :
       {"proto tcp and dst 100.64.0.0/10 and port 443 and bytes > 1M",
        "not (tcp or not udp) or host fd7a:115c:a1e0::/48", "peer \"a \\\" b\\\\\" and tag tag:x*",
        "port 1-65535 and sport != 5 and dport >= 7", "class physical or class subnet", "! ! tcp",
        "((((tcp))))", "user = \"\""}) {
    const std::string once = filter(text).text();
    INFO(text << " is " << once);
    CHECK(filter(once).text() == once);
  }
}

TEST_CASE("a fault is shown at its place, with what is allowed", "[unit]") {
  CHECK(fault("prto tcp") ==
        "the filter is wrong at column 1: `prto` is no field; did you mean `proto`?\n  prto tcp\n  ^");
  CHECK(fault("tcp and prot 443").find("column 9") != std::string::npos);
  CHECK(fault("tcp an port 443").find("write `and` or `or`") != std::string::npos);
  CHECK(fault("port").find("`port` needs a value") != std::string::npos);
  CHECK(fault("port 70000").find("`70000` is no port") != std::string::npos);
  CHECK(fault("port htps").find("`htps` is no port") != std::string::npos);
  CHECK(fault("port 90-80").find("is no port") != std::string::npos);
  CHECK(fault("port > 1-2").find("a range is equal or not equal") != std::string::npos);
  CHECK(fault("bytes > 1X").find("`1X` is no amount") != std::string::npos);
  CHECK(fault("bytes > 99999999T").find("is no amount") != std::string::npos);
  CHECK(fault("proto foo").find("`foo` is no protocol") != std::string::npos);
  CHECK(fault("class foo").find("virtual, subnet, exit or physical") != std::string::npos);
  CHECK(fault("dst 1.2.3").find("`1.2.3` is no address") != std::string::npos);
  CHECK(fault("dst 1.2.3.4/33").find("is no address") != std::string::npos);
  CHECK(fault("dst > 1.2.3.4").find("is equal or not equal") != std::string::npos);
  CHECK(fault("(tcp").find("a parenthesis is not closed") != std::string::npos);
  CHECK(fault("tcp)").find("column 4") != std::string::npos);
  CHECK(fault("peer \"x").find("a quote is not closed") != std::string::npos);
  CHECK(fault("tcp and").find("a condition is missing here") != std::string::npos);
  CHECK(fault(std::string(kFilterBytesMax + 1, ' ')).find("4097 bytes") != std::string::npos);
  CHECK(fault(std::string(200, '(')).find("in one another") != std::string::npos);
  std::string many = "tcp";
  for (int at = 0; at < 200; ++at) many += " or udp";
  CHECK(fault(many).find("more than 256 parts") != std::string::npos);
}

TEST_CASE("a frame is passed over only where none of its terms can match", "[unit]") {
  journal::TermFilterBuilder builder;
  const auto there = model::parse_address("100.64.0.2").value();
  builder.add(address_term(there));
  builder.add(block_term(there));
  builder.add(port_term(443));
  const std::string bytes = builder.build();
  const journal::TermFilter frame(bytes);
  for (const char* const text :
       {"", "host 100.64.0.2", "dst 100.64.0.0/24", "dst 100.64.0.0/16", "host 10.0.0.0/8", "port 443",
        "not host 1.2.3.4", "port 440-450", "port > 5", "host 1.2.3.4 or port 443", "peer x",
        "host != 1.2.3.4", "bytes > 1", "port 1-65535"}) {
    INFO(text);
    CHECK(filter(text).may_match(frame));
  }
  for (const char* const text :
       {"host 100.64.9.9", "src 10.1.0.0/16", "dst 10.1.2.0/24", "port 444", "port 7-9",
        "host 100.64.0.2 and port 80", "host 1.2.3.4 or port 80", "tcp and port 80"}) {
    INFO(text);
    CHECK_FALSE(filter(text).may_match(frame));
  }
}

TEST_CASE("a line is read only where its text can match", "[unit]") {
  const std::string_view line =
      R"({"nodeId":"n","virtualTraffic":[{"proto":6,"src":"100.64.0.1:40000","dst":"100.64.0.20:443"}]})";
  for (const char* const text :
       {"", "host 100.64.0.1", "port 443", "host 100.64.0.20 and udp", "port 80 or port 443",
        "not host 1.2.3.4", "host 9.9.9.9 or tcp", "host ::1", "port 400-500", "port 0"}) {
    INFO(text);
    CHECK(filter(text).may_match(line));
  }
  for (const char* const text : {"host 100.64.0.2", "port 44", "port 4430",
                                 "host 1.2.3.4 and port 443 and host 100.64.0.9", "port 80 or port 81"}) {
    INFO(text);
    CHECK_FALSE(filter(text).may_match(line));
  }
}

TEST_CASE("names match by glob, in any case, whole or up to the first dot", "[unit]") {
  CHECK(name_matches("web1", "Web1.tail.ts.net."));
  CHECK(name_matches("web1.tail.ts.net", "web1.tail.ts.net."));
  CHECK(name_matches("*.ts.net", "web1.tail.ts.net"));
  CHECK(name_matches("w*1", "web1.tail.ts.net"));
  CHECK_FALSE(name_matches("web", "web1.tail.ts.net"));
  CHECK_FALSE(name_matches("tail", "web1.tail.ts.net"));
  CHECK(glob_matches("a*b*c", "aXbXbXc"));
  CHECK_FALSE(glob_matches("a*b*c", "aXbXb"));
  CHECK(glob_matches("", ""));
  CHECK(glob_matches("**", "x"));
}

}  // namespace flowtally::query
