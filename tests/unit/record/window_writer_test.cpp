// Goal: whatever a window holds, its records are within the limit, hold every flow once and in order, name
// exactly the nodes that they speak of, and add up. Method: the lines are read back by the reader and
// compared with the window; random windows from a fixed seed, sizes around the limit byte by byte, and one
// huge window.
#include "record/window_writer.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "record/node.hpp"
#include "record/reader.hpp"
#include "support/catch.hpp"
#include "unit/record/random_windows.hpp"

namespace flowtally::record {
namespace {

using model::ClassifiedWindow;
using model::Counters;
using model::Flow;
using model::TrafficClass;

constexpr Identity kIdentity{.node_id = "nLab01CNTRL", .boot_id = "5f0c3b1e-8b7e-4a53-9f0e-6d4f6a1c2b3d"};
constexpr WriteOptions kPlain{.accounting = false};

std::vector<std::string> lines_of(const ClassifiedWindow& window, const WriteOptions& options = {},
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

/// The node as text, which has the limits, read back.
model::RecordNode shown(const model::Node& node) {
  std::string line = R"({"nodeId":"","start":"2026-11-22T23:29:01Z","end":"2026-11-22T23:29:01Z","srcNode":)";
  append_node(node, line);
  line += '}';
  auto record = RecordReader().read(line);
  REQUIRE(record);
  return *record->src_node;
}

/// Which nodes a record should name, found without the NodeMap: the first node that has the address.
class Oracle {
 public:
  explicit Oracle(const model::Tailnet& tailnet) : src_(shown(tailnet.self)) {
    const auto add = [&](const model::Node& node) {
      nodes_.push_back(shown(node));
      for (const auto& address : node.addresses) owners_.try_emplace(address, nodes_.size() - 1);
    };
    add(tailnet.self);
    for (const auto& peer : tailnet.peers) add(peer);
  }

  [[nodiscard]] const model::RecordNode& src() const { return src_; }

  [[nodiscard]] std::vector<model::RecordNode> dst_nodes(const model::Record& record) const {
    std::set<std::pair<std::string, std::size_t>> spoken_of;  // by id; of one id in the tailnet's order
    const auto note = [&](const model::Endpoint& end) {
      const auto owner = owners_.find(end.address);
      if (owner == owners_.end() || owner->second == 0) return;
      spoken_of.emplace(nodes_[owner->second].id, owner->second);
    };
    for (const auto* list : {&record.virtual_traffic, &record.subnet_traffic, &record.exit_traffic}) {
      for (const Flow& flow : *list) {
        note(flow.local);
        note(flow.remote);
      }
    }
    for (const Flow& flow : record.physical_traffic) note(flow.local);
    std::vector<model::RecordNode> expected;
    for (const auto& [id, at] : spoken_of) expected.push_back(nodes_[at]);
    return expected;
  }

 private:
  model::RecordNode src_;
  std::vector<model::RecordNode> nodes_;
  std::map<model::Address, std::size_t> owners_;
};

Counters listed(const model::Record& record) {
  return model::sum(record.virtual_traffic) + model::sum(record.subnet_traffic) +
         model::sum(record.exit_traffic);
}

/// What a record alone must prove.
void check_proof(const model::Record& record) {
  const model::Accounting& proof = record.accounting;
  CHECK(proof.totals == listed(record) + proof.unparsed + proof.excluded + proof.dropped);
  const model::Underlay& below = proof.underlay;
  CHECK(below.hook ==
        model::sum(record.physical_traffic) + below.unmapped + below.disco + below.stun + below.other);
}

/// The accounting of all records together.
model::Accounting sum_of(const std::vector<model::Record>& records) {
  model::Accounting sum;
  for (const model::Record& record : records) {
    const model::Accounting& proof = record.accounting;
    sum.totals += proof.totals;
    sum.coarse += proof.coarse;
    sum.unparsed += proof.unparsed;
    sum.excluded += proof.excluded;
    sum.dropped += proof.dropped;
    sum.dropped_late += proof.dropped_late;
    sum.device_dropped += proof.device_dropped;
    sum.underlay += proof.underlay;
  }
  return sum;
}

/// The lists of the records, put together again, are those of the window.
void check_lists(const ClassifiedWindow& window, const std::vector<model::Record>& records) {
  std::array<std::vector<Flow>, model::kTrafficClasses> lists;
  std::size_t list = 0;
  for (const model::Record& record : records) {
    const std::array parts{&record.virtual_traffic, &record.subnet_traffic, &record.exit_traffic,
                           &record.physical_traffic};
    for (std::size_t place = 0; place < parts.size(); ++place) {
      if (parts[place]->empty()) continue;
      CHECK(list <= place);  // no part goes back to a list before
      list = place;
      lists[place].insert(lists[place].end(), parts[place]->begin(), parts[place]->end());
    }
  }
  CHECK((lists == window.traffic));
}

/// What must hold for the records of any conserved window.
void check_records(const ClassifiedWindow& window, const std::vector<model::Record>& records) {
  const Oracle oracle(window.nodes->tailnet());
  for (std::size_t index = 0; index < records.size(); ++index) {
    const model::Record& record = records[index];
    const model::Accounting& proof = record.accounting;
    CHECK(record.node_id == kIdentity.node_id);
    CHECK(proof.boot_id == kIdentity.boot_id);
    CHECK(proof.epoch == window.epoch);
    CHECK(proof.part == index + 1);
    CHECK(proof.parts == records.size());
    CHECK(record.end_ns == window.end.wall_ns);
    CHECK(record.end_ns - record.start_ns == window.end.boot_ns - window.start.boot_ns);
    CHECK((record.src_node == oracle.src()));
    CHECK((record.dst_nodes == oracle.dst_nodes(record)));
    check_proof(record);
    if (index + 1 < records.size()) {  // the last part has everything but its share of the totals
      model::Accounting rest = proof;
      rest.totals = {};
      rest.underlay = {};
      CHECK(rest ==
            model::Accounting{
                .boot_id = proof.boot_id, .epoch = proof.epoch, .part = proof.part, .parts = proof.parts});
    }
  }
  check_lists(window, records);
  const model::Accounting sum = sum_of(records);
  model::Underlay underlay = window.underlay;
  underlay.rest = {};  // a part of `unmapped`
  underlay.counted = sum.underlay.counted;
  CHECK(sum == model::Accounting{.totals = window.totals.hook,
                                 .coarse = window.coarse,
                                 .unparsed = window.totals.unparsed,
                                 .excluded = window.totals.excluded,
                                 .dropped = window.totals.dropped,
                                 .dropped_late = window.totals.dropped_late,
                                 .device_dropped = window.totals.device_dropped,
                                 .underlay = underlay});
}

ClassifiedWindow empty_window() { return {.nodes = model::NodeMap::make({})}; }

/// Virtual flows only, of nobody that is known.
ClassifiedWindow virtual_window(std::uint64_t seed, std::size_t flows) {
  ClassifiedWindow window = empty_window();
  const model::Window made = RandomTraffic(seed).window(flows, 0);
  window.of(TrafficClass::kVirtual) = made.flows;
  window.totals = made.totals;
  window.epoch = made.epoch;
  window.start = made.start;
  window.end = made.end;
  return window;
}

TEST_CASE("an idle window has no record", "[unit]") {
  ClassifiedWindow window = empty_window();
  CHECK(lines_of(window).empty());
  window.epoch = 7;
  window.underlay.counted = true;
  CHECK(lines_of(window).empty());
}

TEST_CASE("a window that lists nothing has one record with the accounting alone", "[unit]") {
  ClassifiedWindow window = empty_window();
  const Counters some{.tx_packets = 2, .tx_bytes = 30};
  SECTION("unparsed") { window.totals.unparsed = window.totals.hook = some; }
  SECTION("excluded") { window.totals.excluded = window.totals.hook = some; }
  SECTION("dropped") { window.totals.dropped = window.totals.hook = some; }
  SECTION("dropped late") { window.totals.dropped_late = some; }
  SECTION("dropped by the device's count") { window.totals.device_dropped = 3; }
  SECTION("path discovery") { window.underlay = {.counted = true, .hook = some, .disco = some}; }
  SECTION("the relay") { window.underlay = {.counted = true, .tcp = some}; }
  const auto lines = lines_of(window);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("raffic") == std::string::npos);
  CHECK(lines[0].find("Node\"") == std::string::npos);
  const auto records = read_all(lines);
  check_proof(records[0]);
  CHECK_FALSE(records[0].src_node);
  CHECK(lines_of(window, kPlain).empty());
}

TEST_CASE("random windows: each flow once and in order, the right nodes, sums that add up", "[unit]") {
  RandomWindows random(3);
  for (int round = 0; round < 1000; ++round) {
    const model::Tailnet tailnet = random.tailnet(random.traffic().below(12));
    const ClassifiedWindow window = random.window(tailnet, random.traffic().below(40));
    check_records(window, read_all(lines_of(window)));
  }
}

TEST_CASE("a window is cut into parts that are full, in order, complete in themselves, and add up",
          "[unit]") {
  RandomWindows random(5);
  for (int round = 0; round < 12; ++round) {
    const model::Tailnet tailnet = random.tailnet(1 + random.traffic().below(2000));
    const ClassifiedWindow window = random.window(tailnet, 2000 + random.traffic().below(6000));
    const auto lines = lines_of(window);
    REQUIRE(lines.size() > 1);
    check_records(window, read_all(lines));
    // Full: only the accounting of the last part, an entry and two nodes may find no room. No node here is
    // longer than 6,000 bytes.
    for (std::size_t line = 0; line + 1 < lines.size(); ++line)
      CHECK(lines[line].size() > kRecordBytesMax - 14'000);
  }
}

TEST_CASE("without the accounting there are Tailscale's fields only, and everything is listed", "[unit]") {
  RandomWindows random(15);
  const ClassifiedWindow window = random.window(random.tailnet(50), 5000);
  const auto lines = lines_of(window, kPlain);
  for (const auto& line : lines) CHECK(line.find("accounting") == std::string::npos);
  check_lists(window, read_all(lines));
}

TEST_CASE("around the limit every size in bytes is right", "[unit]") {
  // The head grows byte by byte over the length of the longest entry, so that the cut falls at every byte
  // of one, of a node and of the frames of lists. Reading is slow: a few of them are read back.
  RandomWindows random(6);
  const ClassifiedWindow window = random.window(random.tailnet(300), 2600);
  for (std::size_t bytes = 1; bytes <= kEntryBytesMax; ++bytes) {
    const std::string node_id(bytes, 'n');
    const auto lines = lines_of(window, kPlain, {.node_id = node_id, .boot_id = {}});
    for (const auto& line : lines) {
      if (line.size() > kRecordBytesMax) FAIL_CHECK(line.size());
    }
    if (bytes % 16 == 0) check_lists(window, read_all(lines));
  }
}

TEST_CASE("a part is full to the last entry", "[unit]") {
  const ClassifiedWindow window = virtual_window(7, 2600);
  for (std::size_t bytes = 1; bytes <= kEntryBytesMax; ++bytes) {
    const auto lines = lines_of(window, kPlain, {.node_id = std::string(bytes, 'n'), .boot_id = {}});
    for (std::size_t line = 0; line + 1 < lines.size(); ++line) {
      if (lines[line].size() + kEntryBytesMax < kRecordBytesMax) FAIL_CHECK(lines[line].size());
    }
  }
}

TEST_CASE("a record of exactly the limit is not cut, one byte more is", "[unit]") {
  // All four lists and nodes are in it, so that every frame is measured.
  RandomWindows random(8);
  ClassifiedWindow window = random.window(random.tailnet(40), 2500);
  std::string node_id = "n";
  const auto lines = [&] { return lines_of(window, kPlain, {.node_id = node_id, .boot_id = {}}); };
  auto& longest = window.of(TrafficClass::kVirtual);
  while (lines().size() > 1) longest.pop_back();
  REQUIRE_FALSE(longest.empty());
  node_id.resize(kRecordBytesMax - lines().at(0).size() + 1, 'n');
  const auto full = lines();
  REQUIRE(full.size() == 1);
  CHECK(full[0].size() == kRecordBytesMax);
  const auto record = read_all(full).at(0);
  CHECK((!record.dst_nodes.empty() && !record.exit_traffic.empty() && !record.physical_traffic.empty()));
  node_id += 'n';
  CHECK(lines().size() == 2);
}

TEST_CASE("a window of 100,000 flows is cut and adds up", "[unit]") {
  RandomWindows random(9);
  const ClassifiedWindow window = random.window(random.tailnet(3000), 100'000);
  const auto records = read_all(lines_of(window));
  CHECK(records.size() > 40);
  check_records(window, records);
}

TEST_CASE("a node that two parts speak of is in both, once each, and this node in none", "[unit]") {
  const model::Address self = model::Address::v4({100, 64, 0, 1});
  const model::Address peer = model::Address::v4({100, 64, 0, 2});
  model::Tailnet tailnet{.self = {.id = "self", .addresses = {self}},
                         .peers = {{.id = "peer", .addresses = {peer}}}};
  ClassifiedWindow window = virtual_window(10, 5000);
  window.nodes = model::NodeMap::make(tailnet);
  for (Flow& flow : window.of(TrafficClass::kVirtual)) {
    flow.local.address = self;
    flow.remote.address = peer;
  }
  const auto records = read_all(lines_of(window));
  REQUIRE(records.size() > 1);
  for (const auto& record : records) {
    REQUIRE(record.src_node);
    CHECK(record.src_node->id == "self");
    REQUIRE(record.dst_nodes.size() == 1);
    CHECK(record.dst_nodes[0].id == "peer");
  }
}

TEST_CASE("the remote end of a physical entry names nobody", "[unit]") {
  const model::Endpoint peer{.address = model::Address::v4({100, 64, 0, 2})};
  ClassifiedWindow window = empty_window();
  window.nodes =
      model::NodeMap::make({.self = {.id = "self"}, .peers = {{.id = "peer", .addresses = {peer.address}}}});
  const Flow towards{.remote = peer, .counters = {.tx_packets = 1}};
  const Flow from{.local = peer, .counters = {.tx_packets = 1}};
  window.of(TrafficClass::kPhysical) = {towards};
  CHECK(read_all(lines_of(window)).at(0).dst_nodes.empty());
  window.of(TrafficClass::kPhysical) = {from};
  CHECK(read_all(lines_of(window)).at(0).dst_nodes.size() == 1);
}

TEST_CASE("the longest identity and the longest nodes, all of it escaped, leave room for the traffic",
          "[unit]") {
  const std::string long_id(kIdentityBytesMax, '\x01');
  const std::string long_text(2 * kNodeTextBytesMax, '\x02');
  RandomWindows random(10);
  model::Tailnet tailnet = random.tailnet(100);
  const auto make_long = [&](model::Node& node, const std::string& id) {
    node.id = id + long_text;
    node.name = node.os = node.user = long_text;
    node.tags.assign(64, long_text);
  };
  make_long(tailnet.self, "");
  for (std::size_t peer = 0; peer < tailnet.peers.size(); ++peer)
    make_long(tailnet.peers[peer], std::to_string(peer));
  const ClassifiedWindow window = random.window(tailnet, 3000);
  const auto records = read_all(lines_of(window, {}, {.node_id = long_id, .boot_id = long_id}));
  for (const auto& record : records) CHECK(record.node_id == long_id);
  check_lists(window, records);
}

TEST_CASE("a set wall clock makes no negative interval", "[unit]") {
  ClassifiedWindow window = virtual_window(11, 1);
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
  ClassifiedWindow window = virtual_window(11, 1);
  window.start = {.boot_ns = 100, .wall_ns = 1'700'000'000'000'000'000};
  for (const std::int64_t slewed : {-2'500'000, -87, 0, 90, 2'500'000}) {
    window.end = {.boot_ns = 5'000'000'100, .wall_ns = window.start.wall_ns + 5'000'000'000 + slewed};
    CHECK(read_all(lines_of(window)).at(0).start_ns == window.start.wall_ns);
  }
}

TEST_CASE("records of a window that does not add up still sum up to what the hook saw, and show the fault",
          "[unit]") {
  ClassifiedWindow window = virtual_window(12, 6000);
  const bool too_few = GENERATE(true, false);
  const Counters counted = model::sum(window.of(TrafficClass::kVirtual));
  window.totals.unparsed = {};
  window.totals.excluded = {};
  window.totals.hook = {.tx_packets = too_few ? 10 : counted.tx_packets + 10,
                        .tx_bytes = counted.tx_bytes,
                        .rx_packets = counted.rx_packets,
                        .rx_bytes = counted.rx_bytes};
  Counters totals;
  std::size_t wrong = 0;
  for (const auto& record : read_all(lines_of(window))) {
    totals += record.accounting.totals;
    wrong += record.accounting.totals == listed(record) ? 0 : 1;
  }
  CHECK(totals == window.totals.hook);
  CHECK(wrong > 0);
}

TEST_CASE("a window in one part says what the record would say", "[unit]") {
  RandomWindows random(13);
  for (int round = 0; round < 200; ++round) {
    const model::Tailnet tailnet = random.tailnet(random.traffic().below(5));
    const ClassifiedWindow window = random.window(tailnet, 1 + random.traffic().below(20));
    const auto lines = lines_of(window);
    REQUIRE(lines.size() == 1);
    std::string again;
    append_record(read_all(lines).at(0), {}, again);
    CHECK(lines[0] == again);
  }
}

}  // namespace
}  // namespace flowtally::record
