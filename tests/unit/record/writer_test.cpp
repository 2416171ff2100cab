#include "record/writer.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "record/reader.hpp"
#include "record/text.hpp"
#include "support/catch.hpp"
#include "unit/record/golden_lines.hpp"
#include "unit/record/random_traffic.hpp"

namespace flowtally::record {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

std::string entry_text(const model::Flow& flow) {
  std::string text;
  append_entry(flow, text);
  return text;
}

std::string line_of(const model::Record& record, const WriteOptions& options = {}) {
  std::string line;
  append_record(record, options, line);
  return line;
}

model::Endpoint v4(std::uint8_t last, std::uint16_t port) {
  return {.address = model::Address::v4({100, 64, 0, last}), .port = port};
}

model::Flow flow_of(std::uint8_t proto, const model::Endpoint& local = {}, const model::Endpoint& remote = {},
                    const model::Counters& counters = {}) {
  return {.local = local, .remote = remote, .proto = proto, .counters = counters};
}

TEST_CASE("an entry has Tailscale's fields in Tailscale's order", "[unit]") {
  const model::Flow flow{.local = v4(1, 443),
                         .remote = v4(2, 50'000),
                         .proto = 6,
                         .counters = {.tx_packets = 1, .tx_bytes = 2, .rx_packets = 3, .rx_bytes = 4}};
  CHECK(entry_text(flow) == R"({"proto":6,"src":"100.64.0.1:443","dst":"100.64.0.2:50000",)"
                            R"("txPkts":1,"txBytes":2,"rxPkts":3,"rxBytes":4})");
}

TEST_CASE("what is zero is left out of an entry, each field on its own", "[unit]") {
  CHECK(entry_text({}) == "{}");
  CHECK(entry_text(flow_of(255)) == R"({"proto":255})");
  CHECK(entry_text(flow_of(0, v4(1, 80))) == R"({"src":"100.64.0.1:80"})");
  CHECK(entry_text(flow_of(0, {}, v4(1, 80))) == R"({"dst":"100.64.0.1:80"})");
  CHECK(entry_text(flow_of(0, {}, {}, {.tx_packets = 7})) == R"({"txPkts":7})");
  CHECK(entry_text(flow_of(0, {}, {}, {.tx_bytes = 7})) == R"({"txBytes":7})");
  CHECK(entry_text(flow_of(0, {}, {}, {.rx_packets = 7})) == R"({"rxPkts":7})");
  CHECK(entry_text(flow_of(0, {}, {}, {.rx_bytes = 7})) == R"({"rxBytes":7})");
}

TEST_CASE("an address with port 0 is written; a port without an address is not", "[unit]") {
  CHECK(entry_text(flow_of(0, v4(1, 0))) == R"({"src":"100.64.0.1:0"})");
  CHECK(entry_text(flow_of(1, {.address = {}, .port = 80})) == R"({"proto":1})");
  CHECK(entry_text(flow_of(0, {}, {.address = model::Address::v4({0, 0, 0, 0})})) ==
        R"({"dst":"0.0.0.0:0"})");
}

TEST_CASE("the longest entry fits its room exactly", "[unit]") {
  model::Endpoint longest{.address = {.family = model::Address::Family::kV6}, .port = 65535};
  longest.address.bytes.fill(0xFF);
  const model::Flow flow{
      .local = longest,
      .remote = longest,
      .proto = 255,
      .counters = {.tx_packets = kMost, .tx_bytes = kMost, .rx_packets = kMost, .rx_bytes = kMost}};
  CHECK(entry_text(flow).size() == kEntryBytesMax);
}

TEST_CASE("entry_bytes() knows the length of every entry", "[unit]") {
  RandomTraffic random(7);
  for (int round = 0; round < 100'000; ++round) {
    model::Flow flow = random.one_in(5) ? random.coarse_flow() : random.flow();
    if (random.one_in(20)) flow = {.local = {}, .remote = {}, .proto = flow.proto, .counters = {}};
    if (entry_bytes(flow) != entry_text(flow).size()) FAIL_CHECK(entry_text(flow));
  }
  CHECK(entry_bytes({}) == 2);
}

TEST_CASE("a record without traffic has no array, and its accounting has totals even if zero", "[unit]") {
  model::Record record;
  record.node_id = "n1";
  record.start_ns = 1'000'000'000;
  record.end_ns = 6'500'000'000;
  record.accounting.boot_id = "b";
  record.accounting.epoch = 3;
  CHECK(line_of(record) == R"({"nodeId":"n1","start":"1970-01-01T00:00:01Z","end":"1970-01-01T00:00:06.5Z",)"
                           R"("accounting":{"bootId":"b","epoch":3,"part":1,"parts":1,"totals":{}}})"
                           "\n");
}

TEST_CASE("the accounting leaves out what is zero", "[unit]") {
  std::string text;
  append_accounting({.boot_id = "b",
                     .epoch = 1,
                     .part = 2,
                     .parts = 3,
                     .totals = {.tx_packets = 4, .tx_bytes = 5, .rx_packets = 6, .rx_bytes = 7},
                     .coarse = {.tx_bytes = 1},
                     .unparsed = {.rx_packets = 1},
                     .excluded = {.rx_bytes = 1}},
                    text);
  CHECK(text == R"(,"accounting":{"bootId":"b","epoch":1,"part":2,"parts":3,)"
                R"("totals":{"txPkts":4,"txBytes":5,"rxPkts":6,"rxBytes":7},)"
                R"("coarse":{"txBytes":1},"unparsed":{"rxPkts":1},"excluded":{"rxBytes":1}})");
}

TEST_CASE("the accounting has drops and the underlay behind the rest", "[unit]") {
  std::string text;
  append_accounting({.boot_id = "b",
                     .excluded = {.rx_bytes = 1},
                     .dropped = {.tx_packets = 2},
                     .dropped_late = {.tx_packets = 3},
                     .device_dropped = 4,
                     .underlay = {.counted = true,
                                  .hook = {.tx_packets = 5},
                                  .disco = {.tx_packets = 6},
                                  .stun = {.tx_packets = 7},
                                  .other = {.tx_packets = 8},
                                  .unmapped = {.tx_packets = 9},
                                  .tcp = {.tx_packets = 10}}},
                    text);
  CHECK(text == R"(,"accounting":{"bootId":"b","epoch":0,"part":1,"parts":1,"totals":{},)"
                R"("excluded":{"rxBytes":1},"dropped":{"txPkts":2},"droppedLate":{"txPkts":3},)"
                R"("deviceDropped":4,"underlay":{"totals":{"txPkts":5},"unmapped":{"txPkts":9},)"
                R"("disco":{"txPkts":6},"stun":{"txPkts":7},"other":{"txPkts":8},"tcp":{"txPkts":10}}})");
  text.clear();
  append_accounting({.boot_id = "b", .underlay = {.counted = true, .tcp = {.tx_packets = 10}}}, text);
  CHECK(text == R"(,"accounting":{"bootId":"b","epoch":0,"part":1,"parts":1,"totals":{},)"
                R"("underlay":{"totals":{},"tcp":{"txPkts":10}}})");
}

TEST_CASE("nodes come before traffic, and the lists in Tailscale's order", "[unit]") {
  model::Record record;
  record.node_id = "n1";
  record.src_node = {.id = "n1"};
  record.dst_nodes = {{.id = "n2"}, {.id = "n3", .os = "linux"}};
  record.virtual_traffic = {flow_of(1)};
  record.subnet_traffic = {flow_of(2), flow_of(3)};
  record.exit_traffic = {flow_of(4)};
  record.physical_traffic = {flow_of(5)};
  CHECK(line_of(record, {.accounting = false}) ==
        R"({"nodeId":"n1","start":"1970-01-01T00:00:00Z","end":"1970-01-01T00:00:00Z",)"
        R"("srcNode":{"nodeId":"n1"},"dstNodes":[{"nodeId":"n2"},{"nodeId":"n3","os":"linux"}],)"
        R"("virtualTraffic":[{"proto":1}],"subnetTraffic":[{"proto":2},{"proto":3}],)"
        R"("exitTraffic":[{"proto":4}],"physicalTraffic":[{"proto":5}]})"
        "\n");
}

TEST_CASE("without the accounting a record has Tailscale's fields only", "[unit]") {
  model::Record record;
  record.node_id = "n1";
  record.end_ns = 1;
  record.virtual_traffic = {flow_of(6), flow_of(17)};
  CHECK(line_of(record, {.accounting = false}) ==
        R"({"nodeId":"n1","start":"1970-01-01T00:00:00Z","end":"1970-01-01T00:00:00.000000001Z",)"
        R"("virtualTraffic":[{"proto":6},{"proto":17}]})"
        "\n");
}

TEST_CASE("a node id and a boot id cannot break the line", "[unit]") {
  model::Record record;
  record.node_id = "a\"b\n\xFF";
  record.accounting.boot_id = "\\";
  const std::string line = line_of(record);
  CHECK(line.starts_with(R"({"nodeId":"a\"b\n\ufffd","start")"));
  CHECK(line.find(R"("bootId":"\\")") != std::string::npos);
  CHECK(line.find('\n') == line.size() - 1);
}

TEST_CASE("records of tailscaled, read and written again, are the same bytes", "[unit]") {
  RecordReader reader;
  for (const std::string& line : golden_lines("tailscale.ndjson")) {
    auto record = reader.read(line);
    REQUIRE(record);
    CHECK(record->src_node->id == record->node_id);
    CHECK_FALSE(record->dst_nodes.empty());
    CHECK_FALSE(record->virtual_traffic.empty());
    CHECK_FALSE(record->physical_traffic.empty());
    CHECK(line_of(*record, {.accounting = false}) == line + "\n");
    // Tailscale's order is ours.
    CHECK(std::ranges::is_sorted(record->dst_nodes, {}, &model::RecordNode::id));
    CHECK(std::ranges::is_sorted(record->virtual_traffic, model::record_order));
    CHECK(std::ranges::is_sorted(record->physical_traffic, model::record_order));
  }
}

TEST_CASE("the worked example of docs/formats/record.md is what we write, and adds up", "[unit]") {
  std::size_t examples = 0;
  for (const std::string& line : lines_of_file("docs/formats/record.md")) {
    if (!line.starts_with(R"({"nodeId":)")) continue;
    ++examples;
    const auto record = RecordReader().read(line);
    REQUIRE(record);
    CHECK(line_of(*record) == line + "\n");
    const model::Accounting& proof = record->accounting;
    CHECK(proof.totals == model::sum(record->virtual_traffic) + model::sum(record->subnet_traffic) +
                              model::sum(record->exit_traffic) + proof.unparsed + proof.excluded +
                              proof.dropped);
    const model::Underlay& below = proof.underlay;
    CHECK(below.hook ==
          model::sum(record->physical_traffic) + below.unmapped + below.disco + below.stun + below.other);
  }
  CHECK(examples == 1);
}

}  // namespace
}  // namespace flowtally::record
