// Goal: the query's parameters reach the engine, its rows come out as the format wants them, and what is
// wrong is said. The engine itself has its own tests.
#include <algorithm>
#include <string>

#include "api/routes.hpp"
#include "query/rows.hpp"
#include "server/api/fake_source.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;

struct Rig {
  TempDir folder;
  FakeSource source{folder.path.string()};
  api::Service service{source, api::Limits{.queries = 1, .slot_wait = std::chrono::milliseconds(1)}};

  api::Answer ask(const std::string& parameters, std::string method = "GET") {
    auto parsed = api::parse_target("/api/v1/query?" + parameters);
    REQUIRE(parsed.has_value());
    return api::answer_request(service, {.method = std::move(method), .target = std::move(*parsed)});
  }

  std::string text(const std::string& parameters) {
    api::Answer answer = ask(parameters);
    CHECK(answer.status == 200);
    if (!answer.body) return answer.text;
    std::string all;
    std::string room(1000, '\0');
    for (auto bytes = answer.body->read(room); *bytes != 0; bytes = answer.body->read(room)) {
      REQUIRE(bytes.has_value());
      all.append(room, 0, *bytes);
    }
    return all;
  }
};

std::size_t lines_in(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

constexpr const char* kAll = "&start=2026-11-23T00:00:00Z&end=2027-11-23T00:00:00Z";

}  // namespace

TEST_CASE("a query gives the connections of its range, in each format", "[unit]") {
  Rig rig;
  rig.source.append(10, 20);
  CHECK(lines_in(rig.text(std::string("format=ndjson") + kAll)) == 200);
  const std::string csv = rig.text(std::string("format=csv&limit=7") + kAll);
  CHECK(lines_in(csv) == 8);
  const std::string json = rig.text(std::string("filter=") + kAll);
  CHECK(json.starts_with("{\"columns\":["));
  CHECK_THAT(json, ContainsSubstring("\"matched\":200") && ContainsSubstring("\"missing\":{\"removed\":0"));
  CHECK(json.ends_with("}}\n"));
}

TEST_CASE("a query filters, groups and sorts", "[unit]") {
  Rig rig;
  rig.source.append(10, 20);
  CHECK(rig.text(std::string("format=ndjson&filter=proto+udp") + kAll).empty());
  CHECK(lines_in(rig.text(std::string("format=ndjson&filter=proto+tcp+and+port+443") + kAll)) == 200);
  const std::string grouped = rig.text(std::string("format=ndjson&group_by=proto&sort=bytes") + kAll);
  CHECK(lines_in(grouped) == 1);
  CHECK_THAT(grouped, ContainsSubstring("\"proto\":\"tcp\"") && ContainsSubstring("\"flows\":200"));
}

TEST_CASE("an empty answer is whole in each format", "[unit]") {
  Rig rig;
  CHECK(rig.text(std::string("format=ndjson") + kAll).empty());
  CHECK_THAT(rig.text(std::string("format=json") + kAll), ContainsSubstring("\"rows\":[],\"summary\":{"));
  CHECK(lines_in(rig.text(std::string("format=csv") + kAll)) == 1);
}

TEST_CASE("a query that cannot be understood is 400 and says why", "[unit]") {
  Rig rig;
  for (const char* const parameters : {"filter=prto+tcp", "group_by=nothing", "sort=nothing", "limit=many",
                                       "since=whenever", "format=xml", "groupby=src", "start=x"}) {
    CAPTURE(parameters);
    const api::Answer answer = rig.ask(parameters);
    CHECK(answer.status == 400);
    CHECK(answer.text.starts_with("{\"message\":\""));
  }
  CHECK_THAT(rig.ask("groupby=src").text, ContainsSubstring("groupby"));
}

TEST_CASE("queries have few places, which are free again behind them", "[unit]") {
  Rig rig;
  rig.source.append(50, 200);  // more than a query may be ahead
  {
    const api::Answer first = rig.ask(std::string("format=ndjson") + kAll);
    CHECK(first.status == 200);
    CHECK(rig.ask(std::string("format=ndjson") + kAll).status == 503);
    CHECK(rig.ask(std::string("format=ndjson") + kAll, "HEAD").status == 200);
  }
  CHECK(rig.ask(std::string("format=ndjson") + kAll).status == 200);
}

TEST_CASE("what is special in a format is escaped", "[unit]") {
  const std::vector<query::Column> columns{query::Column::kPeer, query::Column::kFirstSeen,
                                           query::Column::kBytes};
  const query::Row row{.values = {std::string("a \"b\", c"), std::int64_t{0}, std::uint64_t{7}},
                       .other = false};
  std::string csv;
  query::RowWriter(query::RowFormat::kCsv, query::column_names(columns)).row(row, csv);
  CHECK(csv == "\"a \"\"b\"\", c\",1970-01-01T00:00:00Z,7\r\n");
  std::string json;
  query::RowWriter(query::RowFormat::kNdjson, query::column_names(columns)).row(row, json);
  CHECK(json == "{\"peer\":\"a \\\"b\\\", c\",\"firstSeen\":\"1970-01-01T00:00:00Z\",\"bytes\":7}\n");
}

}  // namespace flowtally::test
