// Goal: items are what the sink's format and filter want of a record; their ids are the same whenever and by
// whomever they are made.
#include "sink/batch_maker.hpp"

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "record/reader.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using model::ItemFormat;
using model::LogType;

constexpr const char* kLine =
    R"({"logged":"2025-11-23T00:00:05.1Z","nodeId":"nA","start":"2025-11-23T00:00:00Z",)"
    R"("end":"2025-11-23T00:00:05Z","virtualTraffic":[{"proto":6,"src":"100.64.0.1:80",)"
    R"("dst":"100.64.0.2:4000",)"
    R"("txPkts":1,"txBytes":40,"rxPkts":2,"rxBytes":80},{"proto":17,"src":"100.64.0.1:53",)"
    R"("dst":"100.64.0.3:5000",)"
    R"("rxPkts":1,"rxBytes":60}],"exitTraffic":[{"txPkts":1,"txBytes":50}],"accounting":{"bootId":)"
    R"("39e55918-fe3e-4ef6-bfc9-ec05c6aa69da","epoch":3,"part":1,"parts":1,"totals":{"txPkts":2,)"
    R"("txBytes":90,)"
    R"("rxPkts":3,"rxBytes":140}}})"
    "\n";
constexpr std::int64_t kStart = 1'763'856'000'000'000'000;

sink::Batch made(const model::SinkSettings& settings, std::string_view line = kLine,
                 LogType log_type = LogType::kNetwork) {
  auto maker = sink::BatchMaker::make(settings, log_type);
  REQUIRE(maker);
  sink::Batch batch{.log_type = log_type};
  static_cast<void>(
      maker->add({.line = line, .sequence = 7, .start_ns = kStart, .end_ns = kStart + 5'000'000'000}, batch));
  return batch;
}

std::vector<std::string> texts_of(const sink::Batch& batch) {
  std::vector<std::string> texts;
  for (const sink::Item& item : batch.items) texts.emplace_back(batch.text_of(item));
  return texts;
}

}  // namespace

TEST_CASE("a record goes as it is where nothing is asked of it", "[unit]") {
  const sink::Batch batch = made({.name = "s"});
  REQUIRE(batch.items.size() == 1);
  CHECK(std::string(batch.text_of(batch.items[0])) + "\n" == kLine);
  CHECK(batch.items[0].time_ns == kStart);
  CHECK(batch.items[0].logged_ns == kStart + 5'100'000'000);
  CHECK(batch.node_id == "nA");
  CHECK(batch.next == 8);
}

TEST_CASE("other formats make an item of each connection that matches", "[unit]") {
  CHECK(made({.name = "s", .format = ItemFormat::kFlattened}).items.size() == 3);
  const sink::Batch udp = made({.name = "s", .filter = "proto udp", .format = ItemFormat::kFlattened});
  REQUIRE(udp.items.size() == 1);
  CHECK_THAT(texts_of(udp)[0], ContainsSubstring("100.64.0.3"));
  CHECK(udp.items[0].part == 1);  // its place in the record, whatever the filter leaves out
}

TEST_CASE("a filtered record has only what matches, and no sums that would not hold", "[unit]") {
  const sink::Batch batch = made({.name = "s", .filter = "port 80"});
  REQUIRE(batch.items.size() == 1);
  const std::string text = texts_of(batch)[0];
  record::RecordReader reader;
  const auto record = reader.read(text);
  REQUIRE(record);
  CHECK(record->virtual_traffic.size() == 1);
  CHECK(record->exit_traffic.empty());
  CHECK_THAT(text, ContainsSubstring(R"({"logged":"2025-11-23T00:00:05.1Z","nodeId":"nA")"));
  CHECK(text.find("accounting") == std::string::npos);
  CHECK(made({.name = "s", .filter = "port 81"}).items.empty());
  CHECK(made({.name = "s", .filter = "port 81"}).next == 8);
}

TEST_CASE("an item has the same id whoever makes it, and no two items have the same", "[unit]") {
  std::set<std::string> ids;
  for (int time = 0; time < 2; ++time) {
    const sink::Batch all = made({.name = "a", .format = ItemFormat::kEcs});
    const sink::Batch some = made({.name = "b", .filter = "proto udp", .format = ItemFormat::kFlattened});
    for (const sink::Item& item : all.items) ids.insert(sink::item_id(all, item));
    CHECK(sink::item_id(some, some.items[0]) == sink::item_id(all, all.items[1]));
  }
  CHECK(ids.size() == 3);
  for (const std::string& id : ids) CHECK(id.size() == 22);
  // Another window of the same boot is another record.
  std::string other(kLine);
  other.replace(other.find("\"epoch\":3"), 9, "\"epoch\":4");
  const sink::Batch next = made({.name = "a"}, other);
  CHECK_FALSE(ids.contains(sink::item_id(next, next.items[0])));
}

TEST_CASE("a line that is no record makes no item", "[unit]") {
  for (const char* const line : {"\n", "x\n", "[1]\n", "{\n"}) {
    CHECK(made({.name = "s"}, line).items.empty());
    CHECK(made({.name = "s", .format = ItemFormat::kEcs}, line).items.empty());
  }
  CHECK(made({.name = "s"}, "{}\n", LogType::kConfiguration).items.empty());
}

TEST_CASE("a filter that is none is refused", "[unit]") {
  const auto maker = sink::BatchMaker::make({.name = "s", .filter = "prot udp"}, LogType::kNetwork);
  REQUIRE_FALSE(maker);
  CHECK_THAT(maker.error().text(), ContainsSubstring("the filter of sink s"));
  // Events of the audit log have no connections.
  CHECK(sink::BatchMaker::make({.name = "s", .filter = "prot udp"}, LogType::kConfiguration));
}

TEST_CASE("a gap is one item, and the records of it are behind the batch", "[unit]") {
  for (const ItemFormat format : {ItemFormat::kRecord, ItemFormat::kFlattened, ItemFormat::kEcs,
                                  ItemFormat::kOcsf, ItemFormat::kOtel, ItemFormat::kCim}) {
    auto maker = sink::BatchMaker::make({.name = "s", .format = format}, LogType::kNetwork);
    sink::Batch batch;
    maker->add_gap({.records = {.first = 10, .count = 5}, .reason = journal::Gap::Reason::kRemoved}, kStart,
                   batch);
    REQUIRE(batch.items.size() == 1);
    CHECK(batch.next == 15);
    CHECK_THAT(texts_of(batch)[0], ContainsSubstring(R"("event":"gap")"));
    CHECK_THAT(texts_of(batch)[0], ContainsSubstring(R"("first":10,"count":5,"reason":"removed")"));
  }
}

}  // namespace flowtally::test
