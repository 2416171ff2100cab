#include "record/reader.hpp"

#include <string>
#include <vector>

#include <fmt/format.h>

#include "record/text.hpp"
#include "record/writer.hpp"
#include "support/catch.hpp"
#include "unit/record/random_windows.hpp"

namespace flowtally::record {
namespace {

using model::Flow;

base::Result<model::Record> read(std::string_view line) { return RecordReader().read(line); }

/// A record with `fields` behind those that must be there.
base::Result<model::Record> read_with(std::string_view fields) {
  return read(
      fmt::format(R"({{"nodeId":"n1","start":"2026-11-22T23:29:01Z","end":"2026-11-22T23:29:06.5Z"{}{}}})",
                  fields.empty() ? "" : ",", fields));
}

/// The message for an entry with these fields, or "" where it is taken.
std::string entry_error(std::string_view fields) {
  auto record = read_with(fmt::format(R"("virtualTraffic":[{{}},{{{}}}])", fields));
  return record ? "" : record.error().text();
}

TEST_CASE("a record needs a node id and its times, nothing else", "[unit]") {
  auto record = read_with("");
  REQUIRE(record);
  CHECK(record->node_id == "n1");
  CHECK(time_text(record->start_ns) == "2026-11-22T23:29:01Z");
  CHECK(time_text(record->end_ns) == "2026-11-22T23:29:06.5Z");
  CHECK(record->virtual_traffic.empty());
  CHECK(record->accounting == model::Accounting{});

  auto without = read(R"({"nodeId":"n1","end":"2026-11-22T23:29:06Z"})");
  REQUIRE_FALSE(without);
  CHECK(without.error().text() == "record: has no field start");
  CHECK(without.error().code() == base::ErrorCode::kCorrupt);
}

TEST_CASE("fields that we do not know are passed over", "[unit]") {
  auto record = read(
      R"({"logtail":{"client_time":"2026-11-22T23:29:06.069684043Z","proc_id":1,"proc_seq":10},"logged":"x",)"
      R"("nodeId":"n1","start":"2026-11-22T23:29:01Z","end":"2026-11-22T23:29:06Z",)"
      R"("srcNode":{"nodeId":"n1","later":{}},"lastTraffic":[{"proto":"?"}],)"
      R"("virtualTraffic":[{"proto":6,"later":[1,{"a":null}],"txPkts":1}]})"
      "\r\n");
  REQUIRE(record);
  REQUIRE(record->virtual_traffic.size() == 1);
  CHECK(record->virtual_traffic[0] ==
        model::Flow{.local = {}, .remote = {}, .proto = 6, .counters = {.tx_packets = 1}});
}

TEST_CASE("every list and every node is read, in any order", "[unit]") {
  auto record = read_with(
      R"("physicalTraffic":[{"txPkts":4}],"exitTraffic":[{"txPkts":3}],"subnetTraffic":[{"txPkts":2}],)"
      R"("virtualTraffic":[{"txPkts":1}],"dstNodes":[{"nodeId":"n2"},{"tags":["tag:a"],"nodeId":"n3"}],)"
      R"("srcNode":{"user":"u","os":"o","addresses":["100.64.0.2","::1"],"name":"x","nodeId":"n1"})");
  REQUIRE(record);
  CHECK(record->virtual_traffic.at(0).counters.tx_packets == 1);
  CHECK(record->subnet_traffic.at(0).counters.tx_packets == 2);
  CHECK(record->exit_traffic.at(0).counters.tx_packets == 3);
  CHECK(record->physical_traffic.at(0).counters.tx_packets == 4);
  REQUIRE(record->dst_nodes.size() == 2);
  CHECK(record->dst_nodes[0] == model::RecordNode{.id = "n2"});
  CHECK(record->dst_nodes[1] == model::RecordNode{.id = "n3", .tags = {"tag:a"}});
  REQUIRE(record->src_node);
  CHECK(record->src_node->name == "x");
  CHECK(record->src_node->os == "o");
  CHECK(record->src_node->user == "u");
  REQUIRE(record->src_node->addresses.size() == 2);
  CHECK(to_text(record->src_node->addresses[0]) == "100.64.0.2");
  CHECK(to_text(record->src_node->addresses[1]) == "::1");
}

TEST_CASE("a node that is wrong is refused with its place", "[unit]") {
  const auto error = [](std::string_view fields) {
    auto record = read_with(fields);
    return record ? "" : record.error().text();
  };
  CHECK(error(R"("srcNode":{"name":"x"})") == "record: field srcNode: has no field nodeId");
  CHECK(error(R"("dstNodes":[{"nodeId":"a"},{"nodeId":"b","addresses":["1.2.3.4","1.2.3.4:5"]}])") ==
        R"(record: field dstNodes: entry 2: field addresses: entry 2: "1.2.3.4:5" is not an address)");
  CHECK(error(R"("dstNodes":[{"nodeId":"b","tags":[7]}])") ==
        "record: field dstNodes: entry 1: field tags: entry 1: is not a string");
  const auto* const fields = GENERATE(
      R"("srcNode":null)", R"("srcNode":[])", R"("srcNode":{})", R"("srcNode":{"nodeId":1})",
      R"("srcNode":{"nodeId":"a","nodeId":"a"})", R"("srcNode":{"nodeId":"a","os":null})", R"("dstNodes":{})",
      R"("dstNodes":null)", R"("dstNodes":["a"])", R"("srcNode":{"nodeId":"a","addresses":"1.2.3.4"})",
      R"("srcNode":{"nodeId":"a","tags":null})", R"("srcNode":{"nodeId":"a"},"srcNode":{"nodeId":"a"})");
  INFO(fields);
  CHECK_FALSE(read_with(fields));
}

TEST_CASE("a protocol may be a number or a name", "[unit]") {
  struct Case {
    std::string_view json;
    unsigned proto;
  };
  const auto row =
      GENERATE(Case{"6", 6}, Case{"0", 0}, Case{"255", 255}, Case{"\"tcp\"", 6}, Case{"\"UDP\"", 17},
               Case{"\"icmp\"", 1}, Case{"\"ipv6-icmp\"", 58}, Case{"\"ICMPv6\"", 58}, Case{"\"sctp\"", 132});
  auto record = read_with(fmt::format(R"("virtualTraffic":[{{"proto":{}}}])", row.json));
  REQUIRE(record);
  CHECK(record->virtual_traffic.at(0).proto == row.proto);
}

TEST_CASE("a wrong type or value is refused with the field's name", "[unit]") {
  CHECK(entry_error(R"("proto":256)") ==
        "record: field virtualTraffic: entry 2: field proto: is not a whole number from 0 to 255");
  CHECK(entry_error(R"("proto":"quic")") ==
        R"(record: field virtualTraffic: entry 2: field proto: "quic" is not a known protocol)");
  CHECK(entry_error(R"("src":"100.64.0.1")") ==
        R"(record: field virtualTraffic: entry 2: field src: "100.64.0.1" is not an address with a port)");
  CHECK(entry_error(R"("dst":7)") == "record: field virtualTraffic: entry 2: field dst: is not a string");
  CHECK(entry_error(R"("txPkts":1,"txPkts":1)") ==
        "record: field virtualTraffic: entry 2: has the field txPkts twice");
  const auto* const fields =
      GENERATE(R"("txPkts":-1)", R"("txBytes":1.0)", R"("rxPkts":"1")", R"("rxBytes":null)",
               R"("txBytes":18446744073709551616)", R"("proto":-1)", R"("proto":true)", R"("src":"")",
               R"("src":null)", R"("dst":["1.2.3.4:5"])");
  INFO(fields);
  CHECK_FALSE(entry_error(fields).empty());
}

TEST_CASE("the record's own fields have their types", "[unit]") {
  const auto* const fields = GENERATE(
      R"("virtualTraffic":{})", R"("virtualTraffic":null)", R"("virtualTraffic":[1])", R"("accounting":[])",
      R"("accounting":{"epoch":-1})", R"("accounting":{"part":0})", R"("accounting":{"part":2})",
      R"("accounting":{"part":1,"parts":0})", R"("accounting":{"parts":4294967296})",
      R"("accounting":{"totals":7})", R"("accounting":{"totals":{"txPkts":"1"}})", R"("nodeId":"again")",
      R"("subnetTraffic":{})", R"("exitTraffic":[{"src":1}])", R"("physicalTraffic":[{"dst":"1.2.3.4"}])",
      R"("accounting":{"dropped":1})", R"("accounting":{"droppedLate":[]})",
      R"("accounting":{"deviceDropped":{}})", R"("accounting":{"underlay":[]})",
      R"("accounting":{"underlay":{"totals":1}})", R"("accounting":{"underlay":{"tcp":{},"tcp":{}}})");
  INFO(fields);
  CHECK_FALSE(read_with(fields));
}

TEST_CASE("a time that is none is shown in the message, cut where it is long", "[unit]") {
  auto record = read(R"({"nodeId":"n1","start":"yesterday\n"})");
  REQUIRE_FALSE(record);
  CHECK(record.error().text() ==
        R"(record: field start: "yesterday\n" is not a time as in 2026-11-22T23:29:06.5Z)");
  auto cut = read(fmt::format(R"({{"start":"{}"}})", std::string(100'000, 'x')));
  REQUIRE_FALSE(cut);
  CHECK(cut.error().text().size() < 200);
}

TEST_CASE("what is no JSON object is refused", "[unit]") {
  const auto* const line =
      GENERATE("", " ", "\n", "{", "[]", "7", "null", "\"{}\"", "{}{}", "{\"a\":1,}", "{\"nodeId\":\"\xFF\"}",
               "{\"nodeId\":\"\n\"}", "{'nodeId':1}", "\xEF\xBB\xBF");
  INFO(line);
  auto record = read(line);
  REQUIRE_FALSE(record);
  CHECK(record.error().code() == base::ErrorCode::kCorrupt);
}

TEST_CASE("a line beyond the limit is not looked at, one of exactly the limit is", "[unit]") {
  const std::string record = R"({"nodeId":"n1","start":"2026-11-22T23:29:01Z","end":"2026-11-22T23:29:06Z"})";
  RecordReader reader;
  CHECK(reader.read(record + std::string(kLineBytesMax - record.size(), ' ')));
  auto over = reader.read(record + std::string(kLineBytesMax - record.size() + 1, ' '));
  REQUIRE_FALSE(over);
  CHECK(over.error().code() == base::ErrorCode::kResource);
  CHECK(reader.read(record));  // and the reader goes on
}

TEST_CASE("deep nesting is refused and harms nobody", "[unit]") {
  CHECK_FALSE(read_with("\"x\":" + std::string(100'000, '[') + std::string(100'000, ']')));
}

model::RecordNode random_node(RandomWindows& random) {
  const model::Node node = random.node();
  return {.id = node.id,
          .name = node.name,
          .addresses = node.addresses,
          .os = node.os,
          .user = node.user,
          .tags = node.tags};
}

std::vector<Flow> random_flows(RandomTraffic& random) {
  std::vector<Flow> flows;
  for (auto left = random.below(4); left > 0; --left)
    flows.push_back(random.one_in(5) ? random.coarse_flow() : random.flow());
  return flows;
}

model::Accounting random_accounting(RandomTraffic& random) {
  const auto maybe = [&] { return random.one_in(2) ? random.counters() : model::Counters{}; };
  model::Accounting accounting{.boot_id = "boot",
                               .epoch = random.number(64),
                               .part = 1 + static_cast<std::uint32_t>(random.number(16)),
                               .parts = 100'000,
                               .totals = random.counters(),
                               .coarse = maybe(),
                               .unparsed = maybe(),
                               .excluded = maybe(),
                               .dropped = maybe(),
                               .dropped_late = maybe(),
                               .device_dropped = random.number(64)};
  if (random.one_in(2)) {
    accounting.underlay = {.counted = true,
                           .hook = maybe(),
                           .disco = maybe(),
                           .stun = maybe(),
                           .other = maybe(),
                           .unmapped = maybe(),
                           .tcp = maybe()};
  }
  return accounting;
}

TEST_CASE("a record that is written and read again is the same", "[unit]") {
  // Goal: writer and reader agree on every value. Method: random records, rich in zeros and extremes, from a
  // fixed seed.
  RandomWindows windows(42);
  RandomTraffic& random = windows.traffic();
  RecordReader reader;
  for (int round = 0; round < 3000; ++round) {
    model::Record record{.node_id = "n\xC3\xA9\"\\\t" + std::to_string(round),
                         .start_ns = static_cast<std::int64_t>(random.number(64)),
                         .end_ns = static_cast<std::int64_t>(random.number(63)),
                         .virtual_traffic = random_flows(random),
                         .subnet_traffic = random_flows(random),
                         .exit_traffic = random_flows(random),
                         .physical_traffic = random_flows(random),
                         .accounting = random_accounting(random)};
    if (random.one_in(2)) record.src_node = random_node(windows);
    for (auto left = random.below(4); left > 0; --left) record.dst_nodes.push_back(random_node(windows));
    std::string line;
    append_record(record, {}, line);
    auto read_back = reader.read(line);
    REQUIRE(read_back);
    if (*read_back != record) FAIL_CHECK(line);
  }
}

}  // namespace
}  // namespace flowtally::record
