#include "cli/answer.hpp"

#include "support/catch.hpp"

namespace flowtally::test {
namespace {

constexpr std::int64_t kTime = 1'795'392'005'000'000'000;  // 2026-11-23T00:00:05Z

std::vector<cli::AnswerColumn> columns() {
  return cli::answer_columns({query::Column::kTime, query::Column::kPeer, query::Column::kPort,
                              query::Column::kFlows, query::Column::kBytes});
}

std::vector<query::Row> rows() {
  const std::uint64_t port = 8443;
  const std::uint64_t flows = 12345;
  const std::uint64_t bytes = 1'234'567;
  query::Row one{.values = {kTime, std::string("a,\"b\""), port, flows, bytes}};
  query::Row two{.values = {kTime, std::string(), std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{10}}};
  query::Row others{.values = {std::string(), std::string(), std::string(), flows, bytes}, .other = true};
  return {one, two, others};
}

std::string written(cli::Format format) {
  cli::AnswerWriter writer(columns(), {.format = format, .zone = [](std::int64_t) { return 3600; }});
  std::string out;
  writer.begin(out);
  for (const query::Row& row : rows()) writer.row(row, out);
  writer.end({.records = 9, .rows = 3, .missing = {.damaged = 2}}, out);
  return out;
}

}  // namespace

TEST_CASE("a table is for people: local times, units, commas but in ports, others named", "[unit]") {
  CHECK(written(cli::Format::kTable) ==
        "TIME                 PEER   PORT   FLOWS    BYTES\n"
        "2026-11-23 01:00:05  a,\"b\"  8443  12,345  1.23 MB\n"
        "2026-11-23 01:00:05  -         0       1     10 B\n"
        "(others)             -         -  12,345  1.23 MB\n");
}

TEST_CASE("other forms are for programs: whole numbers, UTC", "[unit]") {
  CHECK(written(cli::Format::kCsv) ==
        "time,peer,port,flows,bytes\r\n"
        "2026-11-23T00:00:05Z,\"a,\"\"b\"\"\",8443,12345,1234567\r\n"
        "2026-11-23T00:00:05Z,,0,1,10\r\n"
        ",,,12345,1234567\r\n");
  CHECK(written(cli::Format::kNdjson) ==
        "{\"time\":\"2026-11-23T00:00:05Z\",\"peer\":\"a,\\\"b\\\"\",\"port\":8443,\"flows\":12345,\"bytes\":"
        "1234567}\n"
        "{\"time\":\"2026-11-23T00:00:05Z\",\"peer\":\"\",\"port\":0,\"flows\":1,\"bytes\":10}\n"
        "{\"time\":\"\",\"peer\":\"\",\"port\":\"\",\"flows\":12345,\"bytes\":1234567,\"other\":true}\n");
}

TEST_CASE("an answer in JSON reads back as the rows and the summary that it was made of", "[unit]") {
  const std::string text = written(cli::Format::kJson);
  std::vector<cli::AnswerColumn> found;
  std::vector<query::Row> read;
  cli::JsonDocument document;
  cli::ListScanner scanner(
      "rows",
      [&](std::string_view head) {
        if (!document.read(head)) return false;
        found = cli::answer_columns(document);
        return true;
      },
      [&](std::string_view element) {
        auto row = cli::answer_row(element, found, document);
        if (row) read.push_back(std::move(*row));
        return row.has_value();
      });
  REQUIRE(scanner.feed(text));
  REQUIRE(scanner.frame());
  REQUIRE(document.read(*scanner.frame()));
  const auto expected = rows();
  REQUIRE(read.size() == expected.size());
  for (std::size_t at = 0; at < read.size(); ++at) {
    INFO(at);
    CHECK(read[at].values == expected[at].values);
    CHECK(read[at].other == expected[at].other);
  }
  const query::Summary summary = cli::answer_summary(document);
  CHECK(summary.records == 9);
  CHECK(summary.missing.damaged == 2);
}

TEST_CASE("columns of a newer agent are shown as they are", "[unit]") {
  cli::JsonDocument document;
  REQUIRE(document.read("{\"columns\":[\"new\",\"bytes\"]}"));
  const auto known = cli::answer_columns(document);
  const auto row = cli::answer_row("{\"new\":5,\"bytes\":1500,\"more\":null}", known, document);
  REQUIRE(row);
  cli::AnswerWriter writer(known, {.zone = query::local_zone()});
  std::string out;
  writer.row(*row, out);
  writer.end({}, out);
  CHECK(out == "NEW    BYTES\n5    1.50 kB\n");
}

TEST_CASE("a table of connections leaves out what all of them have in common", "[unit]") {
  cli::AnswerWriter writer(cli::answer_columns(query::columns_of({})), {.connections = true});
  std::string out;
  writer.end({}, out);
  CHECK(out == "START  CLASS  PROTO  SRC  DST  PEER  TX PKTS  TX BYTES  RX PKTS  RX BYTES\n");
}

TEST_CASE("what is missing is said, with why", "[unit]") {
  CHECK(cli::missing_text({}) == "");
  CHECK(cli::missing_text({.removed = 1}) == "1 record is missing: 1 removed by retention meanwhile");
  CHECK(cli::missing_text({.damaged = 1000, .unreadable = 2}) ==
        "1,002 records are missing: 1,000 damaged, 2 unreadable");
}

TEST_CASE("forms have their names", "[unit]") {
  CHECK(cli::format_of("ndjson") == cli::Format::kNdjson);
  CHECK_FALSE(cli::format_of("yaml").has_value());
}

}  // namespace flowtally::test
