// Goal: an answer is what a plain loop over all records gives, however the records lie in the journal and
// however many threads look.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <tuple>

#include <fmt/format.h>

#include "journal/journal.hpp"
#include "query/groups.hpp"
#include "query/names.hpp"
#include "query/query.hpp"
#include "query/terms.hpp"
#include "query/values.hpp"
#include "record/reader.hpp"
#include "record/text.hpp"
#include "record/window_writer.hpp"
#include "record/writer.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::query {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kStart = 1'763'860'000 * kSecond;

/// Windows of five seconds of few nodes, ports and users, so that questions meet something.
model::Record random_record(std::mt19937& random, std::int64_t window) {
  const auto below = [&random](unsigned end) { return static_cast<unsigned>(random() % end); };
  const auto address = [](unsigned last) {
    return model::Address::v4(
        {100, static_cast<std::uint8_t>(64 + last % 3), 0, static_cast<std::uint8_t>(last)});
  };
  model::Record record{.node_id = "nSelf",
                       .start_ns = kStart + window * 5 * kSecond,
                       .end_ns = kStart + (window + 1) * 5 * kSecond};
  record.src_node =
      model::RecordNode{.id = "nSelf", .name = "self.example.", .addresses = {address(1)}, .user = "me"};
  for (unsigned peer = 2; peer < 6; ++peer) {
    if (below(2) == 0) continue;
    record.dst_nodes.push_back(
        {.id = fmt::format("n{}", peer),
         .name = fmt::format("peer{}.example.", peer),
         .addresses = {address(peer)},
         .user = peer % 2 == 0 ? "alice" : "",
         .tags = peer % 2 == 0 ? std::vector<std::string>{} : std::vector<std::string>{"tag:web", "tag:x"}});
  }
  for (unsigned flows = below(12); flows > 0; --flows) {
    constexpr std::uint16_t kPorts[] = {22, 53, 80, 443, 8080};
    const model::Flow flow{
        .local = {.address = address(1), .port = static_cast<std::uint16_t>(40000 + below(4))},
        .remote = {.address = address(2 + below(6)), .port = kPorts[below(5)]},
        .proto = static_cast<std::uint8_t>(below(2) == 0 ? 6 : 17),
        .counters = {.tx_packets = below(100),
                     .tx_bytes = below(100000),
                     .rx_packets = below(100),
                     .rx_bytes = below(100000)}};
    std::vector<model::Flow>* const lists[] = {&record.virtual_traffic, &record.subnet_traffic,
                                               &record.exit_traffic};
    lists[below(3)]->push_back(flow);
  }
  record.accounting = {.boot_id = "boot", .epoch = static_cast<std::uint64_t>(window) + 1};
  return record;
}

/// A journal of several segments, sealed and not, and its lines.
class Bench {
 public:
  explicit Bench(int windows, std::uint32_t seed = 1) {
    journal::JournalOptions options{.directory = directory(), .sync = journal::SyncPolicy::kNever};
    options.segment_bytes_max = 32 << 10;
    options.seal.terms_of = terms_of;
    options.describe = describe;
    auto opened = journal::Journal::open(options);
    REQUIRE(opened);
    std::mt19937 random(seed);
    for (int window = 0; window < windows; ++window) {
      const model::Record record = random_record(random, window);
      std::string line;
      record::append_record(record, {}, line);
      const journal::Entry entry{
          .line = line,
          .start_ns = record.start_ns,
          .end_ns = record.end_ns,
          .key = {.boot_hash = 1, .epoch = record.accounting.epoch, .part = 1, .parts = 1}};
      REQUIRE(opened->append(std::span(&entry, 1)));
      lines_.push_back(std::move(line));
    }
    while (const auto sealed = opened->seal_one().value()) ++sealed_;
  }

  [[nodiscard]] std::string directory() const { return (directory_.path / "network").string(); }
  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }
  [[nodiscard]] int sealed() const noexcept { return sealed_; }

 private:
  test::TempDir directory_;
  std::vector<std::string> lines_;
  int sealed_ = 0;
};

Query query_of(const QueryText& text) {
  auto query = parse_query(text, kStart + 10'000 * kSecond, [](std::int64_t) { return std::int64_t{0}; });
  INFO((query ? std::string() : query.error().text()));
  REQUIRE(query);
  return std::move(*query);
}

struct Answer {
  std::vector<Row> rows;
  Summary summary;
};

Answer run(const Bench& bench, const Query& query, unsigned threads = 1) {
  Answer answer;
  auto summary = run_query(query, bench.directory(), {.threads = threads}, [&answer](const Row& row) {
    answer.rows.push_back(row);
    return true;
  });
  INFO((summary ? std::string() : summary.error().text()));
  REQUIRE(summary);
  answer.summary = *summary;
  return answer;
}

/// What a plain loop gives.
std::vector<Row> plain_connections(const Bench& bench, const Query& query) {
  std::vector<Row> rows;
  LineReader reader;
  for (const std::string& text : bench.lines()) {
    const Line* const line = reader.read(text, Nodes::kYes);
    REQUIRE(line != nullptr);
    if (line->end_ns <= query.start_ns || line->start_ns >= query.end_ns) continue;
    for (const Connection& connection : line->connections) {
      if (query.filter.matches(*line, connection)) rows.push_back(connection_row(*line, connection));
    }
  }
  return rows;
}

std::vector<Row> rows_of(const GroupTable& table) {
  std::vector<Row> rows;
  CHECK(table.give_rows({}, 0, [&rows](const Row& row) {
    rows.push_back(row);
    return true;
  }));
  return rows;
}

bool same(const std::vector<Row>& left, const std::vector<Row>& right) {
  return std::ranges::equal(left, right, [](const Row& one, const Row& two) {
    return one.values == two.values && one.other == two.other;
  });
}

const char* const kFilters[] = {"",
                                "tcp",
                                "port 443",
                                "host 100.66.0.5",
                                "dst 100.64.0.0/16 and udp",
                                "peer peer3",
                                "user alice and bytes > 1K",
                                "tag web or port 22",
                                "not (tcp or port 53)",
                                "class exit and packets > 100",
                                "src self",
                                "host 9.9.9.9",
                                "dport < 80 and peer *2"};

}  // namespace

TEST_CASE("connections come in order, all that match and no other, from open and sealed segments", "[unit]") {
  const Bench bench(700);
  REQUIRE(bench.sealed() >= 3);
  for (const char* const filter : kFilters) {
    INFO(filter);
    const Query query = query_of({.filter = filter});
    const auto expected = plain_connections(bench, query);
    const Answer answer = run(bench, query);
    CHECK(same(answer.rows, expected));
    CHECK(answer.summary.matched == expected.size());
    CHECK(answer.summary.rows == expected.size());
    CHECK(answer.summary.whole);
    CHECK(answer.summary.missing.all() == 0);
  }
}

TEST_CASE("a range of time has the records whose windows overlap it", "[unit]") {
  const Bench bench(400);
  for (const auto& [start, end] :
       {std::pair{0, 5}, std::pair{1, 2}, std::pair{5, 10}, std::pair{1000, 1403}, std::pair{1990, 99999}}) {
    Query query;
    query.start_ns = kStart + start * kSecond;
    query.end_ns = kStart + end * kSecond;
    INFO(start << " " << end);
    CHECK(same(run(bench, query).rows, plain_connections(bench, query)));
  }
}

TEST_CASE("frames that cannot match are passed over", "[unit]") {
  const Bench bench(3000);
  const Answer answer = run(bench, query_of({.filter = "host 9.9.9.9"}));
  CHECK(answer.rows.empty());
  CHECK(answer.summary.frames_passed > 0);
  CHECK(answer.summary.frames_read <= answer.summary.frames_passed / 5);  // the filter may say yes wrongly
}

TEST_CASE("groups have the sums of their connections, with one thread and with several", "[unit]") {
  const Bench bench(300);
  for (const char* const filter : kFilters) {
    for (const char* const by : {"src", "dst,port", "peer", "user", "tag", "class,proto", "node", "time:1h",
                                 "time:30s,peer", "sport,dport,src,dst"}) {
      INFO(filter << " by " << by);
      const Query query = query_of({.filter = filter, .group_by = by});
      // A plain sum of the rows of connections, by their texts.
      LineReader reader;
      GroupTable plain(query.group_by, query.bucket_ns);
      for (const std::string& text : bench.lines()) {
        const Line* const line = reader.read(text, Nodes::kYes);
        for (const Connection& connection : line->connections) {
          if (query.filter.matches(*line, connection)) plain.add(*line, connection);
        }
      }
      const auto expected = rows_of(plain);
      CHECK(same(run(bench, query).rows, expected));
      CHECK(same(run(bench, query, 4).rows, expected));
    }
  }
}

TEST_CASE("sums of groups are those of the connections, counted in another way", "[unit]") {
  const Bench bench(800);
  std::map<std::string, std::uint64_t> bytes;
  std::map<std::string, std::uint64_t> flows;
  record::RecordReader reader;
  for (const std::string& text : bench.lines()) {
    const auto record = reader.read(text);
    for (const auto* const list :
         {&record->virtual_traffic, &record->subnet_traffic, &record->exit_traffic}) {
      for (const model::Flow& flow : *list) {
        const std::string key = fmt::format("{} {}", flow.proto == 6 ? "tcp" : "udp", flow.remote.port);
        bytes[key] += flow.counters.tx_bytes + flow.counters.rx_bytes;
        ++flows[key];
      }
    }
  }
  const Answer answer = run(bench, query_of({.group_by = "proto,dport"}), 2);
  CHECK(answer.rows.size() == bytes.size());
  std::uint64_t before = UINT64_MAX;
  for (const Row& row : answer.rows) {
    const std::string key =
        fmt::format("{} {}", std::get<std::string>(row.values[0]), std::get<std::uint64_t>(row.values[1]));
    CHECK(std::get<std::uint64_t>(row.values[2]) == flows[key]);
    const auto sum = std::get<std::uint64_t>(row.values[8]);
    CHECK(sum == bytes[key]);
    CHECK(sum <= before);  // most bytes first
    before = sum;
  }
}

TEST_CASE("a limit takes the first rows of the order that is asked for", "[unit]") {
  const Bench bench(900);
  const Query all = query_of({.filter = "tcp"});
  auto expected = plain_connections(bench, all);
  Answer limited = run(bench, query_of({.filter = "tcp", .limit = "7"}));
  CHECK(same(limited.rows, {expected.begin(), expected.begin() + 7}));

  std::ranges::sort(expected, [](const Row& left, const Row& right) {
    const auto one = std::get<std::uint64_t>(left.values[9]);
    const auto two = std::get<std::uint64_t>(right.values[9]);
    return one != two ? one > two : left.values < right.values;
  });
  for (const unsigned threads : {1U, 3U}) {
    limited = run(bench, query_of({.filter = "tcp", .sort = "txBytes", .limit = "50"}), threads);
    CHECK(same(limited.rows, {expected.begin(), expected.begin() + 50}));
  }
  const Answer groups = run(bench, query_of({.group_by = "dst", .sort = "+dst", .limit = "2"}));
  REQUIRE(groups.rows.size() == 2);
  CHECK(groups.rows[0].values[0] < groups.rows[1].values[0]);
}

TEST_CASE("groups beyond the limit are one row, so that sums stay whole", "[unit]") {
  const Bench bench(100);
  GroupTable table({Column::kDst}, 0, 2);
  GroupTable whole({Column::kClass}, 0);
  LineReader reader;
  std::uint64_t bytes = 0;
  for (const std::string& text : bench.lines()) {
    const Line* const line = reader.read(text, Nodes::kNo);
    for (const Connection& connection : line->connections) {
      table.add(*line, connection);
      bytes += connection.flow.counters.tx_bytes + connection.flow.counters.rx_bytes;
    }
  }
  const auto rows = rows_of(table);
  REQUIRE(rows.size() == 3);
  CHECK(rows.back().other);
  CHECK(table.beyond() > 0);
  std::uint64_t sum = 0;
  for (const Row& row : rows) sum += std::get<std::uint64_t>(row.values[7]);
  CHECK(sum == bytes);
}

TEST_CASE("a query ends when its sink or its stop says so", "[unit]") {
  const Bench bench(1500);
  std::uint64_t rows = 0;
  const auto summary =
      run_query(query_of({}), bench.directory(), {}, [&rows](const Row&) { return ++rows < 5; });
  REQUIRE(summary);
  CHECK(rows == 5);
  CHECK_FALSE(summary->whole);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = run_query(query_of({.group_by = "src"}), bench.directory(),
                                 {.threads = 2, .stop = stop.get_token()}, [](const Row&) { return true; });
  REQUIRE(stopped);
  CHECK_FALSE(stopped->whole);
  CHECK(stopped->records < bench.lines().size());
}

TEST_CASE("a journal may be written, sealed and asked at once", "[unit]") {
  const test::TempDir directory;
  const std::string path = (directory.path / "network").string();
  journal::JournalOptions options{.directory = path, .sync = journal::SyncPolicy::kNever};
  options.segment_bytes_max = 16 << 10;
  options.seal.terms_of = terms_of;
  auto journal = journal::Journal::open(options);
  REQUIRE(journal);
  std::atomic<bool> done = false;
  std::thread writer([&] {
    std::mt19937 random(3);
    for (int window = 0; window < 600; ++window) {
      const model::Record record = random_record(random, window);
      std::string line;
      record::append_record(record, {}, line);
      const journal::Entry entry{
          .line = line,
          .start_ns = record.start_ns,
          .end_ns = record.end_ns,
          .key = {.boot_hash = 1, .epoch = record.accounting.epoch, .part = 1, .parts = 1}};
      static_cast<void>(journal->append(std::span(&entry, 1)));
      static_cast<void>(journal->seal_one());
    }
    done = true;
  });
  std::uint64_t before = 0;
  bool last = false;
  while (!last) {
    last = done;
    const auto summary =
        run_query(query_of({.group_by = "peer"}), path, {.threads = 2}, [](const Row&) { return true; });
    REQUIRE(summary);
    CHECK(summary->missing.all() == 0);
    CHECK(summary->records >= before);
    before = summary->records;
  }
  writer.join();
  CHECK(before == 600);
}

TEST_CASE("what retention removed from the range is told", "[unit]") {
  const test::TempDir directory;
  const std::string path = (directory.path / "network").string();
  journal::JournalOptions options{.directory = path, .sync = journal::SyncPolicy::kNever};
  options.segment_bytes_max = 16 << 10;
  options.retained_bytes_max = 128 << 10;
  auto journal = journal::Journal::open(options);
  REQUIRE(journal);
  std::mt19937 random(4);
  for (int window = 0; window < 300; ++window) {
    const model::Record record = random_record(random, window);
    std::string line;
    record::append_record(record, {}, line);
    const journal::Entry entry{
        .line = line,
        .start_ns = record.start_ns,
        .end_ns = record.end_ns,
        .key = {.boot_hash = 1, .epoch = record.accounting.epoch, .part = 1, .parts = 1}};
    REQUIRE(journal->append(std::span(&entry, 1)));
  }
  const auto begins = [&](const QueryText& text) {
    const auto summary = run_query(query_of(text), path, {}, [](const Row&) { return true; });
    REQUIRE(summary);
    return summary->begins_ns;
  };
  CHECK_FALSE(begins({}));
  REQUIRE(journal->retain());
  const std::uint64_t first = journal->state().first;
  REQUIRE(first > 1);
  const std::int64_t expected = kStart + (static_cast<std::int64_t>(first) - 1) * 5 * kSecond;
  CHECK(begins({}) == expected);
  CHECK(begins({.group_by = "dst"}) == expected);
  CHECK(begins({.start = record::time_text(expected - 1)}) == expected);
  CHECK_FALSE(begins({.start = record::time_text(expected)}));
}

TEST_CASE("a question that makes no sense is refused with what would", "[unit]") {
  const auto fault = [](const QueryText& text) {
    auto query = parse_query(text, kStart);
    REQUIRE_FALSE(query);
    return query.error().text();
  };
  CHECK(fault({.filter = "prt 5"}).find("no field") != std::string::npos);
  CHECK(fault({.since = "2h", .start = "now"}).find("Give one of them") != std::string::npos);
  CHECK(fault({.since = "soon"}).find("`soon` is no time") != std::string::npos);
  CHECK(fault({.start = "now", .end = "2h"}).find("the end is not after the start") != std::string::npos);
  CHECK(fault({.group_by = "bytes"}).find("nothing can be grouped by `bytes`") != std::string::npos);
  CHECK(fault({.group_by = "time"}).find("no bucket of time") != std::string::npos);
  CHECK(fault({.group_by = "time:0s"}).find("no bucket of time") != std::string::npos);
  CHECK(fault({.group_by = "src,src"}).find("there twice") != std::string::npos);
  CHECK(fault({.group_by = "src:5"}).find("has no `5`") != std::string::npos);
  CHECK(fault({.group_by = "src", .sort = "peer"}).find("no column `peer` to sort by") != std::string::npos);
  CHECK(fault({.sort = "txBytes"}).find("Give a limit") != std::string::npos);
  CHECK(fault({.limit = "-1"}).find("is no limit") != std::string::npos);
  CHECK(fault({.group_by = "src", .sort = "bytes:up"}).find("is no order") != std::string::npos);
}

}  // namespace flowtally::query
