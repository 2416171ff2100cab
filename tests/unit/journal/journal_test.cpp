// Goal: what is appended is read, in order, with its numbers, across segments in any form; what goes is
// counted; what fails leaves nothing behind.
#include "journal/journal.hpp"

#include <algorithm>
#include <cerrno>

#include "support/catch.hpp"
#include "support/faulty_fs.hpp"
#include "unit/journal/records.hpp"

namespace flowtally::test {
namespace {

using journal::Gap;
using journal::JournalOptions;

/// Appends windows [begin, end) of so many parts.
void append(journal::Journal& journal, std::uint64_t begin, std::uint64_t end, std::uint32_t parts = 2,
            std::size_t padding = 100) {
  for (std::uint64_t epoch = begin; epoch < end; ++epoch) {
    const Batch batch(epoch, parts, padding);
    const auto appended = journal.append(batch.entries());
    INFO((appended ? std::string() : appended.error().text()));
    REQUIRE(appended.has_value());
    CHECK(appended->count == parts);
  }
}

/// Records `first`, first + 1 … are there, two for each window.
void check_windows(const ReadAll& all, journal::Sequence first, std::size_t count) {
  REQUIRE(all.records.size() == count);
  for (std::size_t at = 0; at < count; ++at) {
    const ReadRecord& record = all.records[at];
    CHECK(record.sequence == first + at);
    CHECK(number_in(record.line, "epoch") == (record.sequence + 1) / 2);
    CHECK(number_in(record.line, "part") == (record.sequence + 1) % 2 + 1);
    CHECK(record.start_ns == static_cast<std::int64_t>((record.sequence + 1) / 2) * kSecond);
  }
}

JournalOptions small_segments() { return {.segment_bytes_max = 4096, .describe = describe}; }

void seal_all(journal::Journal& journal) {
  while (true) {
    const auto sealed = journal.seal_one();
    REQUIRE(sealed.has_value());
    if (!*sealed) return;
    CHECK((*sealed)->lost == 0);
  }
}

}  // namespace

TEST_CASE("records are read in order with their numbers, from open, full and sealed segments", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files, small_segments());
  append(journal, 1, 101);
  CHECK(journal.state().full_segments > 3);
  check_windows(read_all(files), 1, 200);
  REQUIRE(journal.seal_one().has_value());
  check_windows(read_all(files), 1, 200);
  seal_all(journal);
  CHECK(journal.state().full_segments == 0);
  const ReadAll all = read_all(files);
  check_windows(all, 1, 200);
  CHECK(all.gaps.empty());
  CHECK(journal.last_key() == journal::RecordKey{.boot_hash = 7, .epoch = 100, .part = 2, .parts = 2});
}

TEST_CASE("a journal that is opened again goes on where it ended, and has nothing to report", "[unit]") {
  FaultyFs files;
  for (std::uint64_t round = 0; round < 5; ++round) {
    auto journal = open_journal(files, small_segments());
    CHECK(journal.recovery().events.empty());
    CHECK(journal.state().next == round * 40 + 1);
    if (round > 0) CHECK(journal.last_key()->epoch == round * 20);
    append(journal, round * 20 + 1, round * 20 + 21);
    if (round % 2 == 0) seal_all(journal);
  }
  check_windows(read_all(files), 1, 200);
}

TEST_CASE("the last key survives the sealing and removal of all but an empty segment", "[unit]") {
  FaultyFs files;
  {
    auto journal = open_journal(files, small_segments());
    append(journal, 1, 30);
    append(journal, 30, 31, 1, 4000);  // fills a segment, so that the next append begins one
    files.set_capacity(0);
    const Batch batch(31, 1);
    CHECK(!journal.append(batch.entries()).has_value());
    files.set_capacity(UINT64_MAX);
    seal_all(journal);
  }
  auto journal = open_journal(files, small_segments());
  CHECK(journal.last_key()->epoch == 30);
  CHECK(journal.state().next == 60);
}

TEST_CASE("a second writer is refused and told who holds the lock", "[unit]") {
  FaultyFs files;
  const auto journal = open_journal(files);
  const auto second = journal::Journal::open({.directory = kDirectory}, files);
  REQUIRE(!second.has_value());
  CHECK(second.error().code() == base::ErrorCode::kResource);
  CHECK(second.error().text().find("process 4711") != std::string::npos);
}

TEST_CASE("batches that are none are refused, and nothing is written", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files);
  const auto refused = [&](const std::vector<journal::Entry>& batch) {
    const auto appended = journal.append(batch);
    return !appended && appended.error().code() == base::ErrorCode::kInvalidArgument;
  };
  CHECK(refused({}));
  CHECK(refused({{.line = ""}}));
  CHECK(refused({{.line = "no end"}}));
  CHECK(refused({{.line = "two\nlines\n"}}));
  const std::string long_line = std::string(journal::kLineBytesMax, 'x') + '\n';
  CHECK(refused({{.line = long_line}}));
  CHECK(refused(std::vector<journal::Entry>(journal::kBatchRecordsMax + 1, {.line = "\n"})));
  CHECK(journal.state().next == 1);
  CHECK(journal.state().failures == 0);
  const std::string longest = std::string(journal::kLineBytesMax - 1, 'x') + '\n';
  CHECK(!refused({{.line = longest}}));
}

TEST_CASE("a full disk fails the append, is visible, and heals when there is room", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files);
  append(journal, 1, 11);
  std::uint64_t used = 0;
  for (const std::string& path : files.paths()) used += files.read(path).size();
  const auto before = files.read("/j/network/00000000000000000001.ndjson");
  for (const std::uint64_t room : {0U, 1U, 150U, 260U, 300U, 401U}) {
    files.set_capacity(used + room);
    const Batch batch(11, 2, 100);
    const auto appended = journal.append(batch.entries());
    REQUIRE(!appended.has_value());
    CHECK(appended.error().code() == base::ErrorCode::kResource);
    CHECK(journal.state().failing_since.has_value());
    CHECK(!journal.state().failure.empty());
    CHECK(files.read("/j/network/00000000000000000001.ndjson") == before);
    check_windows(read_all(files), 1, 20);
  }
  CHECK(journal.state().failures == 6);
  files.set_capacity(UINT64_MAX);
  append(journal, 11, 21);
  CHECK(!journal.state().failing_since.has_value());
  check_windows(read_all(files), 1, 40);
}

TEST_CASE("whichever operation of an append fails, the batch is there once after the next try", "[unit]") {
  for (const int number : {EIO, ENOSPC, EROFS}) {
    for (std::uint64_t step = 1; step <= 6; ++step) {
      FaultyFs files;
      auto journal = open_journal(files, small_segments());
      append(journal, 1, 6);
      auto reader = journal::JournalReader::open(kDirectory, {}, files);
      REQUIRE(reader.has_value());
      CHECK(read_all(*reader).records.size() == 10);
      // From this operation on everything that writes fails, the repair too.
      files.set_fault([seen = std::uint64_t{0}, step, number](
                          Operation operation, const std::string&) mutable -> std::optional<int> {
        const bool reads =
            operation == Operation::kRead || operation == Operation::kList || operation == Operation::kOpen;
        if (reads || ++seen < step) return std::nullopt;
        return number;
      });
      const Batch batch(6, 2, 100);
      const bool failed = !journal.append(batch.entries()).has_value();
      CHECK(failed == (step <= 5));
      CHECK(read_all(*reader).records.size() == (failed ? 0 : 2));
      files.set_fault({});
      if (failed) append(journal, 6, 7);
      CHECK(read_all(*reader).records.size() == (failed ? 2 : 0));
      append(journal, 7, 20);
      check_windows(read_all(files), 1, 38);
    }
  }
}

TEST_CASE("retention by size removes the oldest segments and counts them", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files, {.segment_bytes_max = 4096, .retained_bytes_max = 40'000});
  append(journal, 1, 201);
  seal_all(journal);
  append(journal, 201, 401);
  const auto removed = journal.retain();
  REQUIRE(removed.has_value());
  CHECK(removed->segments > 0);
  const auto state = journal.state();
  CHECK(state.bytes <= 40'000);
  CHECK(state.removed == *removed);
  CHECK(state.first == removed->below);
  CHECK(removed->records == removed->below - 1);
  check_windows(read_all(files), removed->below, 800 - removed->records);

  auto reader = journal::JournalReader::open(kDirectory, {}, files);
  REQUIRE(reader->seek(5).has_value());
  const ReadAll all = read_all(*reader);
  REQUIRE(all.gaps.size() == 1);
  CHECK(all.gaps.front() ==
        Gap{.records = {.first = 5, .count = removed->below - 5}, .reason = Gap::Reason::kRemoved});
}

TEST_CASE("retention by age keeps what is young and the newest segment in any case", "[unit]") {
  FaultyFs files;
  std::int64_t wall_ns = 0;
  JournalOptions options{.segment_bytes_max = 4096, .retained_age_ms_max = 50'000};
  options.now = [&] { return base::Moment{.boot_ns = 0, .wall_ns = wall_ns}; };
  auto journal = open_journal(files, options);
  append(journal, 1, 101);
  wall_ns = 100 * kSecond;
  REQUIRE(journal.retain().has_value());
  const ReadAll all = read_all(files);
  CHECK(all.records.front().end_ns < 51 * kSecond + 20 * kSecond);
  CHECK(std::ranges::count_if(all.records,
                              [](const auto& record) { return record.end_ns >= 50 * kSecond; }) == 104);
  wall_ns = 10'000 * kSecond;
  REQUIRE(journal.retain().has_value());
  CHECK(journal.state().segments == 1);
  CHECK(!read_all(files).records.empty());
}

TEST_CASE("a segment is full at its age, and at a quarter of what is retained", "[unit]") {
  FaultyFs files;
  std::int64_t boot_ns = 0;
  JournalOptions options{.segment_age_ms_max = 1000, .retained_bytes_max = 40'000};
  options.now = [&] { return base::Moment{.boot_ns = boot_ns, .wall_ns = boot_ns}; };
  auto journal = open_journal(files, options);
  append(journal, 1, 3);
  CHECK(journal.state().segments == 1);
  boot_ns += kSecond;
  append(journal, 3, 4);
  CHECK(journal.state().segments == 2);
  append(journal, 4, 104);
  CHECK(journal.state().segments > 3);
}

TEST_CASE("by the policies interval and never, files are synced when it is said", "[unit]") {
  FaultyFs files;
  std::uint64_t syncs = 0;
  files.set_fault([&](Operation operation, const std::string&) -> std::optional<int> {
    if (operation == Operation::kSync) ++syncs;
    return std::nullopt;
  });
  std::int64_t boot_ns = 10 * kSecond;
  JournalOptions options{.sync = journal::SyncPolicy::kInterval, .sync_interval_ms = 1000};
  options.now = [&] { return base::Moment{.boot_ns = boot_ns, .wall_ns = 0}; };
  auto journal = open_journal(files, options);
  append(journal, 1, 2);
  const std::uint64_t first = syncs;
  append(journal, 2, 10);
  CHECK(syncs == first);
  boot_ns += kSecond;
  append(journal, 10, 11);
  CHECK(syncs == first + 2);
  REQUIRE(journal.sync().has_value());
  CHECK(syncs == first + 4);
}

}  // namespace flowtally::test
