// Goal: whatever a window holds, its records are within the limit, hold every flow once and in order, and add
// up. Method: the lines are read back by the reader and compared with the window; random windows from a fixed
// seed, sizes around the limit byte by byte, and one huge window.
#include "record/window_writer.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "record/reader.hpp"
#include "record/text.hpp"
#include "support/catch.hpp"
#include "unit/record/random_traffic.hpp"

namespace flowtally::record {
namespace {

constexpr Identity kIdentity{.node_id = "nLab01CNTRL", .boot_id = "5f0c3b1e-8b7e-4a53-9f0e-6d4f6a1c2b3d"};

std::vector<std::string> lines_of(const model::Window& window, const WriteOptions& options = {},
                                  const Identity& identity = kIdentity) {
  std::vector<std::string> lines;
  write_window(window, identity, options, [&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

std::vector<model::Record> read_all(const std::vector<std::string>& lines) {
  std::vector<model::Record> records;
  RecordReader reader;
  for (const std::string& line : lines) {
    REQUIRE(line.size() <= kRecordBytesMax);
    REQUIRE(line.find('\n') == line.size() - 1);
    auto record = reader.read(line);
    if (!record) FAIL(record.error().text());
    records.push_back(std::move(*record));
  }
  return records;
}

/// Every flow and coarse flow of the window, in record order.
std::vector<model::Flow> listing_of(const model::Window& window) {
  std::vector<model::Flow> listing;
  std::ranges::merge(window.flows, window.coarse, std::back_inserter(listing), model::record_order);
  return listing;
}

/// What must hold for the records of any conserved window.
void check_records(const model::Window& window, const std::vector<model::Record>& records) {
  std::vector<model::Flow> listed;
  model::Counters totals;
  model::Counters coarse;
  for (std::size_t index = 0; index < records.size(); ++index) {
    const model::Record& record = records[index];
    const model::Accounting& proof = record.accounting;
    CHECK(proof.boot_id == kIdentity.boot_id);
    CHECK(proof.epoch == window.epoch);
    CHECK(proof.part == index + 1);
    CHECK(proof.parts == records.size());
    CHECK(proof.totals == model::sum(record.virtual_traffic) + proof.unparsed + proof.excluded);
    const bool last = index + 1 == records.size();
    CHECK(proof.unparsed == (last ? window.totals.unparsed : model::Counters{}));
    CHECK(proof.excluded == (last ? window.totals.excluded : model::Counters{}));
    CHECK(record.end_ns == window.end.wall_ns);
    CHECK(record.end_ns - record.start_ns == window.end.boot_ns - window.start.boot_ns);
    listed.insert(listed.end(), record.virtual_traffic.begin(), record.virtual_traffic.end());
    totals += proof.totals;
    coarse += proof.coarse;
  }
  CHECK(totals == window.totals.hook);
  CHECK(coarse == model::sum(window.coarse));
  CHECK((listed == listing_of(window)));
}

TEST_CASE("an idle window has no record", "[unit]") { CHECK(lines_of({}).empty()); }

TEST_CASE("a window of unparsed and excluded packets has one record without traffic", "[unit]") {
  model::Window window = RandomTraffic(1).window(0, 0);
  window.totals.unparsed = {.rx_packets = 2, .rx_bytes = 30};
  window.totals.excluded = {.tx_packets = 1, .tx_bytes = 40};
  window.totals.hook = window.accounted();
  const auto lines = lines_of(window);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("virtualTraffic") == std::string::npos);
  check_records(window, read_all(lines));
  CHECK(lines_of(window, {.accounting = false}).empty());
}

TEST_CASE("flows and coarse flows become one array in record order", "[unit]") {
  RandomTraffic random(3);
  for (int round = 0; round < 500; ++round) {
    const model::Window window = random.window(random.below(40), random.below(10));
    if (window.idle()) continue;
    check_records(window, read_all(lines_of(window)));
  }
}

TEST_CASE("a coarse flow that sorts between flows is put between them", "[unit]") {
  RandomTraffic random(4);
  model::Window window = random.window(20, 0);
  window.coarse = {window.flows[5], window.flows[12]};
  window.flows.erase(window.flows.begin() + 12);
  window.flows.erase(window.flows.begin() + 5);
  check_records(window, read_all(lines_of(window)));
}

TEST_CASE("a window is cut into parts that are full, in order, and add up", "[unit]") {
  RandomTraffic random(5);
  for (int round = 0; round < 20; ++round) {
    const model::Window window = random.window(1000 + random.below(6000), random.below(3000));
    const auto lines = lines_of(window);
    const auto records = read_all(lines);
    check_records(window, records);
    // Full: only the most that numbers in the accounting could be longer, and one entry, may be free.
    for (std::size_t line = 0; line + 1 < lines.size(); ++line)
      CHECK(lines[line].size() > kRecordBytesMax - 1024);
  }
}

TEST_CASE("around the limit every size in bytes is right", "[unit]") {
  // The head grows byte by byte over the length of the longest entry, so that the cut falls at every byte
  // of one.
  const model::Window window = RandomTraffic(6).window(2500, 100);
  for (std::size_t bytes = 1; bytes <= kEntryBytesMax; ++bytes) {
    const std::string node_id(bytes, 'n');
    const auto lines =
        lines_of(window, {.accounting = false}, {.node_id = node_id, .boot_id = kIdentity.boot_id});
    std::size_t entries = 0;
    for (const std::string& line : lines) {
      if (line.size() > kRecordBytesMax) FAIL_CHECK(line.size());
      entries += static_cast<std::size_t>(std::ranges::count(line, '{')) - 1;
    }
    if (entries != 2600) FAIL_CHECK(entries);
    // Without the accounting nothing is reserved: the first entry of a part would not have fitted the one
    // before.
    for (std::size_t line = 0; line + 1 < lines.size(); ++line) {
      if (lines[line].size() + kEntryBytesMax < kRecordBytesMax) FAIL_CHECK(lines[line].size());
    }
  }
}

TEST_CASE("a record of exactly the limit is not cut, one byte more is", "[unit]") {
  model::Window window = RandomTraffic(8).window(2500, 0);
  std::string node_id = "n";
  const auto text_bytes = [&] {
    std::size_t bytes = 0;
    for (const auto& line : lines_of(window, {.accounting = false}, {.node_id = node_id, .boot_id = {}})) {
      bytes += line.size();
    }
    return bytes;
  };
  while (lines_of(window, {.accounting = false}).size() > 1) window.flows.pop_back();
  REQUIRE(text_bytes() < kRecordBytesMax);
  node_id.resize(kRecordBytesMax - text_bytes() + 1, 'n');
  const WriteOptions plain{.accounting = false};
  const auto full = lines_of(window, plain, {.node_id = node_id, .boot_id = {}});
  REQUIRE(full.size() == 1);
  CHECK(full[0].size() == kRecordBytesMax);
  node_id += 'n';
  CHECK(lines_of(window, plain, {.node_id = node_id, .boot_id = {}}).size() == 2);
}

TEST_CASE("a window of 100,000 flows is cut and adds up", "[unit]") {
  const model::Window window = RandomTraffic(9).window(100'000, 1000);
  const auto records = read_all(lines_of(window));
  CHECK(records.size() > 40);
  check_records(window, records);
}

TEST_CASE("the longest identity, all of it escaped, leaves room for the traffic", "[unit]") {
  const std::string long_id(kIdentityBytesMax, '\x01');
  const model::Window window = RandomTraffic(10).window(5000, 0);
  const auto records = read_all(lines_of(window, {}, {.node_id = long_id, .boot_id = long_id}));
  std::size_t flows = 0;
  for (const auto& record : records) {
    CHECK(record.node_id == long_id);
    flows += record.virtual_traffic.size();
  }
  CHECK(flows == 5000);
}

TEST_CASE("a set wall clock makes no negative interval", "[unit]") {
  model::Window window = RandomTraffic(11).window(1, 0);
  window.start = {.boot_ns = 100, .wall_ns = 1'700'000'000'000'000'000};
  window.end = {.boot_ns = 5'000'000'100,
                .wall_ns = 1'600'000'000'000'000'000};  // set back by years meanwhile
  const auto records = read_all(lines_of(window));
  REQUIRE(records.size() == 1);
  CHECK(records[0].end_ns == window.end.wall_ns);
  CHECK(records[0].start_ns == window.end.wall_ns - 5'000'000'000);
}

TEST_CASE("a window begins where the one before ended, though the clocks are slewed and not read at once",
          "[unit]") {
  model::Window window = RandomTraffic(11).window(1, 0);
  window.start = {.boot_ns = 100, .wall_ns = 1'700'000'000'000'000'000};
  for (const std::int64_t slewed : {-2'500'000, -87, 0, 90, 2'500'000}) {
    window.end = {.boot_ns = 5'000'000'100, .wall_ns = window.start.wall_ns + 5'000'000'000 + slewed};
    CHECK(read_all(lines_of(window)).at(0).start_ns == window.start.wall_ns);
  }
}

TEST_CASE("records of a window that does not add up still sum up to what the hook saw, and show the fault",
          "[unit]") {
  model::Window window = RandomTraffic(12).window(6000, 0);
  const bool too_few = GENERATE(true, false);
  const model::Counters listed = model::sum(window.flows);
  window.totals.unparsed = {};
  window.totals.excluded = {};
  window.totals.hook = {.tx_packets = too_few ? 10 : listed.tx_packets + 10,
                        .tx_bytes = listed.tx_bytes,
                        .rx_packets = listed.rx_packets,
                        .rx_bytes = listed.rx_bytes};
  model::Counters totals;
  std::size_t wrong = 0;
  for (const auto& record : read_all(lines_of(window))) {
    totals += record.accounting.totals;
    wrong += record.accounting.totals == model::sum(record.virtual_traffic) ? 0 : 1;
  }
  CHECK(totals == window.totals.hook);
  CHECK(wrong > 0);
}

TEST_CASE("a conserved window in one part says what the record would say", "[unit]") {
  const model::Window window = RandomTraffic(13).window(30, 0);
  std::string expected;
  append_record({.node_id = std::string(kIdentity.node_id),
                 .start_ns = window.start.wall_ns,
                 .end_ns = window.end.wall_ns,
                 .virtual_traffic = window.flows,
                 .accounting = {.boot_id = std::string(kIdentity.boot_id),
                                .epoch = window.epoch,
                                .part = 1,
                                .parts = 1,
                                .totals = window.totals.hook,
                                .coarse = {},
                                .unparsed = window.totals.unparsed,
                                .excluded = window.totals.excluded}},
                {}, expected);
  const auto lines = lines_of(window);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == expected);
}

}  // namespace
}  // namespace flowtally::record
