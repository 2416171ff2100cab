// Goal: a line is read as the strict reader of agent/record reads it, fast or not.
#include "query/line.hpp"

#include <algorithm>
#include <string>

#include "query/terms.hpp"
#include "record/boot_hash.hpp"
#include "record/reader.hpp"
#include "record/window_writer.hpp"
#include "support/catch.hpp"
#include "unit/record/golden_lines.hpp"
#include "unit/record/random_windows.hpp"

namespace flowtally::query {
namespace {

/// Whether both readers give the same; false where the line is none. What is wrong inside of nodes or of the
/// accounting is passed over by the fast one, and only by that.
bool same_by_both(LineReader& reader, const std::string& text, Nodes nodes) {
  record::RecordReader strict;
  const auto record = strict.read(text);
  const std::uint64_t slow_before = reader.slow_lines();
  const Line* const line = reader.read(text, nodes);
  INFO(text);
  if (!record) {
    CHECK((line == nullptr || reader.slow_lines() == slow_before));
    return false;
  }
  REQUIRE(line != nullptr);
  CHECK(line->node_id == record->node_id);
  CHECK(line->start_ns == record->start_ns);
  CHECK(line->end_ns == record->end_ns);
  std::vector<model::Flow> lists[model::kTrafficClasses];
  for (const Connection& connection : line->connections)
    lists[static_cast<std::size_t>(connection.traffic_class)].push_back(connection.flow);
  CHECK(lists[0] == record->virtual_traffic);
  CHECK(lists[1] == record->subnet_traffic);
  CHECK(lists[2] == record->exit_traffic);
  CHECK(lists[3] == record->physical_traffic);
  if (nodes == Nodes::kNo) {
    CHECK(line->nodes.empty());
  } else {
    CHECK(line->has_src_node == record->src_node.has_value());
    std::vector<model::RecordNode> expected = record->dst_nodes;
    if (record->src_node) expected.insert(expected.begin(), *record->src_node);
    CHECK(line->nodes == expected);
    for (const model::RecordNode& node : expected) {
      for (const model::Address& address : node.addresses) {
        const auto has = [&address](const model::RecordNode& other) {
          return std::ranges::find(other.addresses, address) != other.addresses.end();
        };
        CHECK(*line->node_of(address) == *std::ranges::find_if(expected, has));
      }
    }
  }
  return true;
}

std::vector<std::string> random_lines(std::uint64_t seed, int windows) {
  record::RandomWindows random(seed);
  std::vector<std::string> lines;
  for (int at = 0; at < windows; ++at) {
    const model::Tailnet tailnet = random.tailnet(random.traffic().below(20));
    record::write_window(random.window(tailnet, random.traffic().below(200)),
                         {.node_id = "nTest", .boot_id = "boot"}, {.accounting = !random.traffic().one_in(5)},
                         [&lines](std::string_view line) { lines.emplace_back(line); });
  }
  return lines;
}

}  // namespace

TEST_CASE("lines of our writer are read fast, as the strict reader reads them", "[unit]") {
  LineReader reader;
  for (const std::string& line : random_lines(11, 200)) {
    CHECK(same_by_both(reader, line, Nodes::kNo));
    CHECK(same_by_both(reader, line.substr(0, line.size() - 1), Nodes::kNo));
    CHECK(same_by_both(reader, "{\"logged\":\"2026-11-23T03:12:00Z\"," + line.substr(1), Nodes::kNo));
  }
  CHECK(reader.slow_lines() == 0);
  for (const std::string& line : random_lines(12, 50)) CHECK(same_by_both(reader, line, Nodes::kYes));
}

TEST_CASE("neighbours with the same nodes and with others are told apart", "[unit]") {
  LineReader reader;
  const auto lines = random_lines(16, 30);
  for (int round = 0; round < 3; ++round) {
    for (const std::string& line : lines) {
      CHECK(same_by_both(reader, line, round == 1 ? Nodes::kNo : Nodes::kYes));
      CHECK(same_by_both(reader, line, Nodes::kYes));
    }
  }
  const std::string plain =
      R"({"nodeId":"n","start":"1970-01-01T00:00:01Z","end":"1970-01-01T00:00:02Z","srcNode":{"nodeId":"a",)"
      R"("name":"a.b.","addresses":["100.64.0.1"],"os":"linux","user":"u"},"dstNodes":[{"nodeId":"c",)"
      R"("tags":["tag:x","tag:y"]},{"nodeId":"d","addresses":["100.64.0.2","fd7a::2"]}]})";
  const auto slow = reader.slow_lines();
  CHECK(same_by_both(reader, plain, Nodes::kYes));
  CHECK(reader.slow_lines() == slow);
}

TEST_CASE("lines of others are read too", "[unit]") {
  LineReader reader;
  for (const std::string& line : record::lines_of_file("tests/golden/record/tailscale.ndjson")) {
    CHECK(same_by_both(reader, line, Nodes::kNo));
    CHECK(same_by_both(reader, line, Nodes::kYes));
  }
}

TEST_CASE("whatever is done to a line, both readers agree on what it is", "[unit]") {
  LineReader reader;
  record::RandomTraffic random(13);
  std::size_t readable = 0;
  for (const std::string& line : random_lines(14, 60)) {
    for (int round = 0; round < 20; ++round) {
      std::string changed = line;
      static const std::string kBytes = "0129{}[],:\"\\ .-eatx\n";
      for (auto left = 1 + random.below(3); left > 0; --left) {
        const std::size_t at = random.below(changed.size());
        switch (random.below(4)) {
          case 0: changed[at] = kBytes[random.below(kBytes.size())]; break;
          case 1: changed.erase(at, 1 + random.below(20)); break;
          case 2: changed.insert(at, 1, kBytes[random.below(kBytes.size())]); break;
          default: changed.resize(at); break;
        }
        if (changed.empty()) changed = " ";
      }
      if (same_by_both(reader, changed, Nodes::kNo)) ++readable;
    }
  }
  CHECK(readable > 0);
}

TEST_CASE("a record's terms are its addresses, their blocks and its ports", "[unit]") {
  for (const std::string& line : random_lines(15, 20)) {
    std::vector<std::uint64_t> terms;
    terms_of(line, [&terms](std::uint64_t term) { terms.push_back(term); });
    const auto has = [&terms](std::uint64_t term) { return std::ranges::find(terms, term) != terms.end(); };
    record::RecordReader strict;
    const auto record = strict.read(line);
    REQUIRE(record);
    for (const auto* const list : {&record->virtual_traffic, &record->physical_traffic}) {
      for (const model::Flow& flow : *list) {
        for (const model::Endpoint& end : {flow.local, flow.remote}) {
          CHECK(has(address_term(end.address)));
          CHECK(has(block_term(end.address)));
          CHECK(has(port_term(end.port)));
        }
      }
    }
  }
  terms_of("nonsense\n", [](std::uint64_t) { FAIL("a line that is no record has terms"); });
}

TEST_CASE("a record is described by its window and its place in it", "[unit]") {
  const auto described =
      describe(R"({"nodeId":"n","start":"1970-01-01T00:00:01Z","end":"1970-01-01T00:00:02Z",)"
               R"("accounting":{"bootId":"boot","epoch":7,"part":2,"parts":3,"totals":{}}})");
  REQUIRE(described);
  CHECK(described->start_ns == 1'000'000'000);
  CHECK(described->end_ns == 2'000'000'000);
  CHECK(described->key ==
        journal::RecordKey{.boot_hash = record::boot_hash("boot"), .epoch = 7, .part = 2, .parts = 3});
  CHECK_FALSE(describe("{}"));
}

}  // namespace flowtally::query
