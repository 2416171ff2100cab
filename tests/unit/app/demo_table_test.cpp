// Goal: the table that proves the demo hides nothing: every difference is found and shown, and its rows add
// up to all there is. Method: small comparisons by hand, then random ones against a map. Which of the exact
// flows are shown, and how, is free.
#include "app/demo_table.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "record/text.hpp"
#include "support/catch.hpp"
#include "unit/record/random_traffic.hpp"

namespace flowtally::app {
namespace {

using model::Counters;
using model::Flow;

constexpr Counters kSome{.tx_packets = 1, .tx_bytes = 100, .rx_packets = 2, .rx_bytes = 200};

/// Flow `number` between two IPv4 hosts; ascending numbers are in record order.
Flow flow_of(std::uint16_t number, const Counters& counters = kSome) {
  return {.local = {.address = model::Address::v4({100, 64, 0, 1}), .port = number},
          .remote = {.address = model::Address::v4({100, 64, 0, 2}), .port = 443},
          .proto = 6,
          .counters = counters};
}

/// Equal on both sides, totals included.
Comparison exact_comparison(const std::vector<Flow>& flows) {
  return compare(flows, model::sum(flows), flows, model::sum(flows));
}

std::vector<Flow> many_flows(std::uint16_t count) {
  std::vector<Flow> flows;
  for (std::uint16_t number = 1; number <= count; ++number)
    flows.push_back(flow_of(
        number, {.tx_packets = number, .tx_bytes = number * 100ULL, .rx_packets = 1, .rx_bytes = 40}));
  return flows;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    REQUIRE(end != std::string_view::npos);
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

/// A line of the table that has counts.
struct Row {
  std::string name;
  Counters wire;
  Counters recorded;
  bool differs = false;
};

std::optional<Counters> read_counters(std::string_view cells) {
  std::array<std::uint64_t, 4> values{};
  for (std::uint64_t& value : values) {
    cells.remove_prefix(std::min(cells.find_first_not_of(' '), cells.size()));
    const auto [end, error] = std::from_chars(cells.data(), cells.data() + cells.size(), value);
    if (error != std::errc{}) return std::nullopt;
    cells.remove_prefix(static_cast<std::size_t>(end - cells.data()));
  }
  return Counters{
      .tx_packets = values[0], .tx_bytes = values[1], .rx_packets = values[2], .rx_bytes = values[3]};
}

/// The rows with counts; what is left of them are headings.
std::vector<Row> rows_of(std::string_view text) {
  std::vector<Row> rows;
  for (const std::string_view line : lines_of(text)) {
    std::array<std::size_t, 3> bars{};
    std::size_t from = 0;
    for (std::size_t& bar : bars) {
      bar = line.find('|', from);
      REQUIRE(bar != std::string_view::npos);
      from = bar + 1;
    }
    const auto wire = read_counters(line.substr(bars[0] + 1, bars[1] - bars[0] - 1));
    const auto recorded = read_counters(line.substr(bars[1] + 1, bars[2] - bars[1] - 1));
    REQUIRE(wire.has_value() == recorded.has_value());
    if (!wire || !recorded) continue;
    rows.push_back({.name = std::string(line.substr(0, bars[0])),
                    .wire = *wire,
                    .recorded = *recorded,
                    .differs = line.substr(bars[2]).find("DIFFERS") != std::string_view::npos});
  }
  return rows;
}

/// The row of one flow; fails the test where it is not shown.
Row row_of(const std::vector<Row>& rows, const Flow& flow) {
  const std::string local = " " + record::to_text(flow.local) + " ";
  const std::string remote = " " + record::to_text(flow.remote) + " ";
  for (const Row& row : rows) {
    if (row.name.find(local) != std::string::npos && row.name.find(remote) != std::string::npos) return row;
  }
  FAIL("no row for" << local << "and" << remote);
  return {};
}

// ---- compare()

TEST_CASE("two equal sides are exact", "[unit]") {
  const Comparison comparison = exact_comparison({flow_of(1), flow_of(2), flow_of(3)});
  CHECK(comparison.exact());
  CHECK(comparison.differing == 0);
  CHECK(comparison.flows.size() == 3);
}

TEST_CASE("two empty sides are exact", "[unit]") {
  CHECK(exact_comparison({}).exact());
  CHECK(exact_comparison({}).flows.empty());
}

TEST_CASE("a flow that only the wire has is found", "[unit]") {
  const std::uint16_t number = GENERATE(as<std::uint16_t>(), 1, 2, 3);
  const std::vector<Flow> wire = {flow_of(1), flow_of(2), flow_of(3)};
  std::vector<Flow> recorded = wire;
  recorded.erase(recorded.begin() + number - 1);
  const Comparison comparison = compare(wire, model::sum(wire), recorded, model::sum(wire));
  CHECK_FALSE(comparison.exact());
  CHECK(comparison.differing == 1);
  REQUIRE(comparison.flows.size() == 3);
  CHECK(comparison.flows[0].wire == flow_of(number));
  CHECK(comparison.flows[0].recorded.zero());
}

TEST_CASE("a flow that only the records have is found", "[unit]") {
  const std::uint16_t number = GENERATE(as<std::uint16_t>(), 1, 2, 3);
  const std::vector<Flow> recorded = {flow_of(1), flow_of(2), flow_of(3)};
  std::vector<Flow> wire = recorded;
  wire.erase(wire.begin() + number - 1);
  const Comparison comparison = compare(wire, model::sum(recorded), recorded, model::sum(recorded));
  CHECK_FALSE(comparison.exact());
  CHECK(comparison.differing == 1);
  REQUIRE(comparison.flows.size() == 3);
  CHECK(comparison.flows[0].wire == flow_of(number, {}));
  CHECK(comparison.flows[0].recorded == kSome);
}

TEST_CASE("one packet or byte of difference, in either direction, is found", "[unit]") {
  std::uint64_t Counters::* const field =
      GENERATE(&Counters::tx_packets, &Counters::tx_bytes, &Counters::rx_packets, &Counters::rx_bytes);
  const std::vector<Flow> wire = {flow_of(1), flow_of(2)};
  std::vector<Flow> recorded = wire;
  ++(recorded[1].counters.*field);
  const Comparison comparison = compare(wire, model::sum(wire), recorded, model::sum(wire));
  CHECK_FALSE(comparison.exact());
  CHECK(comparison.differing == 1);
  CHECK(comparison.flows[0].wire == wire[1]);
  CHECK(comparison.flows[0].recorded == recorded[1].counters);
}

TEST_CASE("totals that differ are found where every flow is exact", "[unit]") {
  std::uint64_t Counters::* const field =
      GENERATE(&Counters::tx_packets, &Counters::tx_bytes, &Counters::rx_packets, &Counters::rx_bytes);
  const std::vector<Flow> flows = {flow_of(1)};
  Counters all = kSome;
  ++(all.*field);
  CHECK_FALSE(compare(flows, all, flows, kSome).exact());
  CHECK_FALSE(compare(flows, kSome, flows, all).exact());
  CHECK(compare(flows, all, flows, all).exact());
}

TEST_CASE("flows of one pair of hosts that differ in protocol or a port are not mixed up", "[unit]") {
  Flow udp = flow_of(1);
  udp.proto = 17;
  const Comparison comparison = compare({flow_of(1), udp}, kSome, {flow_of(1), flow_of(2)}, kSome);
  CHECK(comparison.flows.size() == 3);
  CHECK(comparison.differing == 2);
}

// ---- table_text()

TEST_CASE("the table has colours only where they are asked for", "[unit]") {
  const std::vector<Flow> flows = many_flows(60);
  const Comparison comparison = compare(flows, kSome, many_flows(59), kSome);
  CHECK(table_text(comparison, false).find('\x1b') == std::string::npos);
  CHECK(table_text(comparison, true).find('\x1b') != std::string::npos);
}

TEST_CASE("the table of an exact comparison has no row that differs, and ends with the totals", "[unit]") {
  const std::uint16_t count = GENERATE(as<std::uint16_t>(), 0, 1, 40, 41, 500);
  const std::vector<Flow> flows = many_flows(count);
  const auto rows = rows_of(table_text(exact_comparison(flows), false));
  CHECK(std::ranges::none_of(rows, &Row::differs));
  REQUIRE_FALSE(rows.empty());
  CHECK(rows.back().wire == model::sum(flows));
  CHECK(rows.back().recorded == model::sum(flows));
}

TEST_CASE("totals that differ are marked in the last row", "[unit]") {
  const std::vector<Flow> flows = {flow_of(1)};
  const auto rows = rows_of(table_text(compare(flows, kSome, flows, kSome + kSome), false));
  CHECK(rows.back().differs);
  CHECK(rows.back().wire == kSome);
  CHECK(rows.back().recorded == kSome + kSome);
}

TEST_CASE("as many flows as the table has rows are all shown", "[unit]") {
  const std::vector<Flow> flows = many_flows(kTableRowsMax);
  const auto rows = rows_of(table_text(exact_comparison(flows), false));
  CHECK(rows.size() == kTableRowsMax + 1);
  for (const Flow& flow : flows) {
    const Row row = row_of(rows, flow);
    CHECK(row.wire == flow.counters);
    CHECK(row.recorded == flow.counters);
  }
}

TEST_CASE("more flows than rows are summed in one row, and the rows still add up", "[unit]") {
  const std::uint16_t count = GENERATE(as<std::uint16_t>(), kTableRowsMax + 1, 500);
  const std::vector<Flow> flows = many_flows(count);
  const auto rows = rows_of(table_text(exact_comparison(flows), false));
  CHECK(rows.size() == kTableRowsMax + 2);
  Counters listed;
  for (std::size_t at = 0; at + 1 < rows.size(); ++at) listed += rows[at].wire;
  CHECK(listed == model::sum(flows));
  CHECK(rows[rows.size() - 2].name.find("more flow") != std::string::npos);
  CHECK(rows[rows.size() - 2].name.find(std::to_string(count - kTableRowsMax)) != std::string::npos);
}

TEST_CASE("every flow that differs is shown, however many they are", "[unit]") {
  const std::vector<Flow> wire = many_flows(300);
  std::vector<Flow> recorded = wire;
  for (std::size_t at = 0; at < recorded.size(); at += 3) ++recorded[at].counters.rx_bytes;
  const auto comparison = compare(wire, kSome, recorded, kSome);
  REQUIRE(comparison.differing == 100);
  const auto rows = rows_of(table_text(comparison, false));
  CHECK(std::ranges::count_if(rows, &Row::differs) == 100);
  for (std::size_t at = 0; at < wire.size(); at += 3) {
    const Row row = row_of(rows, wire[at]);
    CHECK(row.differs);
    CHECK(row.wire == wire[at].counters);
    CHECK(row.recorded == recorded[at].counters);
  }
}

TEST_CASE("differences that are all of one kind do not stand back for exact flows of other kinds", "[unit]") {
  std::vector<Flow> wire = many_flows(100);  // each of a kind of its own
  for (std::uint16_t port = 2000; port < 2060; ++port) wire.push_back(flow_of(port));  // all to port 443
  std::vector<Flow> recorded = wire;
  for (std::size_t at = 100; at < recorded.size(); ++at) ++recorded[at].counters.tx_packets;
  const Comparison comparison = compare(wire, kSome, recorded, kSome);
  REQUIRE(comparison.differing == 60);
  for (std::size_t at = 0; at < comparison.flows.size(); ++at)
    CHECK(comparison.flows[at].exact() == (at >= comparison.differing));
  const auto rows = rows_of(table_text(comparison, false));
  for (std::size_t at = 100; at < wire.size(); ++at) CHECK(row_of(rows, wire[at]).differs);
}

// ---- random comparisons

/// Some flows, each key once, in record order.
std::vector<Flow> random_flows(record::RandomTraffic& random, std::uint64_t count) {
  std::vector<Flow> flows;
  for (std::uint64_t left = count; left > 0; --left) flows.push_back(random.flow());
  std::ranges::sort(flows, model::record_order);
  const auto same = [](const Flow& one, const Flow& two) { return !model::record_order(one, two); };
  const auto twice = std::ranges::unique(flows, same);
  flows.erase(twice.begin(), twice.end());
  return flows;
}

/// `flows` with some left out and some counts changed.
std::vector<Flow> spoiled(record::RandomTraffic& random, const std::vector<Flow>& flows) {
  std::vector<Flow> some;
  for (const Flow& flow : flows) {
    if (random.one_in(5)) continue;
    some.push_back(flow);
    if (random.one_in(5)) some.back().counters = random.counters();
  }
  return some;
}

using Key = std::tuple<model::Endpoint, model::Endpoint, std::uint8_t>;
using Sides = std::map<Key, std::array<Counters, 2>>;

Key key_of(const Flow& flow) { return {flow.local, flow.remote, flow.proto}; }

Sides sides_of(const std::vector<Flow>& wire, const std::vector<Flow>& recorded) {
  Sides sides;
  for (const Flow& flow : wire) sides[key_of(flow)][0] = flow.counters;
  for (const Flow& flow : recorded) sides[key_of(flow)][1] = flow.counters;
  return sides;
}

TEST_CASE("over random comparisons every flow is there once with both its counts, those that differ first",
          "[unit]") {
  record::RandomTraffic random(22);
  for (int run = 0; run < 100; ++run) {
    CAPTURE(run);
    const std::vector<Flow> flows = random_flows(random, random.below(150));
    const std::vector<Flow> wire = spoiled(random, flows);
    const std::vector<Flow> recorded = run % 4 == 0 ? wire : spoiled(random, flows);
    const Comparison comparison = compare(wire, model::sum(wire), recorded, model::sum(recorded));

    Sides sides = sides_of(wire, recorded);
    REQUIRE(comparison.flows.size() == sides.size());
    std::size_t differing = 0;
    for (const ComparedFlow& flow : comparison.flows) {
      const auto side = sides.find(key_of(flow.wire));
      REQUIRE(side != sides.end());
      REQUIRE(flow.wire.counters == side->second[0]);
      REQUIRE(flow.recorded == side->second[1]);
      if (!flow.exact()) ++differing;
      sides.erase(side);  // so that none comes twice
    }
    REQUIRE(comparison.differing == differing);
    REQUIRE(std::ranges::is_partitioned(comparison.flows, [](const auto& flow) { return !flow.exact(); }));
    REQUIRE(comparison.exact() == (wire == recorded));
  }
}

TEST_CASE("over random comparisons the rows of the table add up to both sides", "[unit]") {
  record::RandomTraffic random(23);
  for (int run = 0; run < 100; ++run) {
    CAPTURE(run);
    const std::vector<Flow> flows = random_flows(random, random.below(150));
    const std::vector<Flow> wire = spoiled(random, flows);
    const std::vector<Flow> recorded = run % 4 == 0 ? wire : spoiled(random, flows);
    const Comparison comparison = compare(wire, model::sum(wire), recorded, model::sum(recorded));
    const auto rows = rows_of(table_text(comparison, false));
    REQUIRE_FALSE(rows.empty());
    Counters on_wire;
    Counters in_records;
    std::size_t differing = 0;
    for (std::size_t at = 0; at + 1 < rows.size(); ++at) {
      on_wire += rows[at].wire;
      in_records += rows[at].recorded;
      differing += rows[at].differs ? 1 : 0;
    }
    REQUIRE(on_wire == model::sum(wire));
    REQUIRE(in_records == model::sum(recorded));
    REQUIRE(differing == comparison.differing);
  }
}

}  // namespace
}  // namespace flowtally::app
