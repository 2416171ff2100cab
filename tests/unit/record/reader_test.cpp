#include "record/reader.hpp"

#include <string>

#include <fmt/format.h>

#include "record/text.hpp"
#include "record/writer.hpp"
#include "support/catch.hpp"
#include "unit/record/random_traffic.hpp"

namespace flowtally::record {
namespace {

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
      R"("srcNode":{"nodeId":"n1","addresses":["100.64.0.2"]},"dstNodes":[{"nodeId":"n2"}],)"
      R"("virtualTraffic":[{"proto":6,"later":[1,{"a":null}],"txPkts":1}],"subnetTraffic":[{"proto":"?"}],)"
      R"("exitTraffic":[{"txPkts":1}],"physicalTraffic":[{"src":"100.64.0.1:0"}]})"
      "\r\n");
  REQUIRE(record);
  REQUIRE(record->virtual_traffic.size() == 1);
  CHECK(record->virtual_traffic[0] ==
        model::Flow{.local = {}, .remote = {}, .proto = 6, .counters = {.tx_packets = 1}});
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
      R"("accounting":{"totals":7})", R"("accounting":{"totals":{"txPkts":"1"}})", R"("nodeId":"again")");
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

TEST_CASE("a record that is written and read again is the same", "[unit]") {
  // Goal: writer and reader agree on every value. Method: random records, rich in zeros and extremes, from a
  // fixed seed.
  RandomTraffic random(42);
  RecordReader reader;
  for (int round = 0; round < 3000; ++round) {
    model::Record record{
        .node_id = "n\xC3\xA9\"\\\t" + std::to_string(round),
        .start_ns = static_cast<std::int64_t>(random.number(64)),
        .end_ns = static_cast<std::int64_t>(random.number(63)),
        .virtual_traffic = {},
        .accounting = {.boot_id = "boot",
                       .epoch = random.number(64),
                       .part = 1 + static_cast<std::uint32_t>(random.number(16)),
                       .parts = 100'000,
                       .totals = random.counters(),
                       .coarse = random.one_in(2) ? random.counters() : model::Counters{},
                       .unparsed = random.one_in(2) ? random.counters() : model::Counters{},
                       .excluded = random.one_in(2) ? random.counters() : model::Counters{}}};
    for (auto flows = random.number(6); flows > 0; --flows) {
      record.virtual_traffic.push_back(random.one_in(5) ? random.coarse_flow() : random.flow());
    }
    std::string line;
    append_record(record, {}, line);
    auto read_back = reader.read(line);
    REQUIRE(read_back);
    if (*read_back != record) FAIL_CHECK(line);
  }
}

}  // namespace
}  // namespace flowtally::record
