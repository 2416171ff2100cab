// Goal: a reader finds its place by number or time, passes over what is not asked for without reading it, and
// keeps its place whatever is sealed and removed under its feet.
#include "journal/reader.hpp"

#include <algorithm>
#include <random>

#include "journal/bytes.hpp"
#include "support/catch.hpp"
#include "support/faulty_fs.hpp"
#include "unit/journal/records.hpp"

namespace flowtally::test {
namespace {

using journal::Gap;
using journal::JournalReader;

/// The term of a line is its epoch.
void terms_of(std::string_view line, const journal::TermSink& sink) { sink(number_in(line, "epoch")); }

journal::JournalOptions options(std::uint64_t segment_bytes = 4096) {
  return {.segment_bytes_max = segment_bytes, .seal = {.terms_of = terms_of}};
}

void append(journal::Journal& journal, std::uint64_t begin, std::uint64_t end, std::size_t padding = 100) {
  for (std::uint64_t epoch = begin; epoch < end; ++epoch) {
    const Batch batch(epoch, 2, padding);
    REQUIRE(journal.append(batch.entries()).has_value());
  }
}

void seal_all(journal::Journal& journal) {
  while (journal.seal_one().value()) {
  }
}

/// Takes records up to the end, which must be `first`, first + 1 …; the number that comes next.
journal::Sequence follow(JournalReader& reader, journal::Sequence first) {
  const ReadAll all = read_all(reader);
  CHECK(all.gaps.empty());
  for (const ReadRecord& record : all.records) {
    CHECK(record.sequence == first);
    CHECK(number_in(record.line, "epoch") == (first + 1) / 2);
    ++first;
  }
  CHECK(reader.position() == first);
  return first;
}

}  // namespace

TEST_CASE("a reader goes to any number, and refuses one beyond the end", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files, options());
  append(journal, 1, 60);
  REQUIRE(journal.seal_one().has_value());
  auto reader = JournalReader::open(kDirectory, {}, files);
  REQUIRE(reader.has_value());
  for (journal::Sequence at = 1; at <= 119; ++at) {
    REQUIRE(reader->seek(at).has_value());
    CHECK(reader->position() == at);
    CHECK(follow(*reader, at) == 119);
  }
  CHECK(!reader->seek(120).has_value());
  CHECK(!reader->seek(0).has_value());
  CHECK(reader->seek_end().has_value());
  CHECK(reader->position() == 119);
}

TEST_CASE("a reader goes to a time, in sealed and open segments", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files, options());
  append(journal, 1, 101);
  for (int sealed = 0; sealed < 4; ++sealed) REQUIRE(journal.seal_one().has_value());
  auto reader = JournalReader::open(kDirectory, {}, files);
  for (std::uint64_t epoch = 1; epoch <= 100; ++epoch) {
    REQUIRE(reader->seek_time(static_cast<std::int64_t>(epoch) * kSecond).has_value());
    // The first of the window that ends after it is not passed, and frames are small here.
    CHECK(reader->position() <= epoch * 2 - 1);
    CHECK(reader->position() + 40 > epoch * 2 - 1);
  }
  REQUIRE(reader->seek_time(1000 * kSecond).has_value());
  CHECK(reader->position() == 201);
}

TEST_CASE("only records in the range of time are given, and frames out of it are not read", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files, options());
  append(journal, 1, 101);
  seal_all(journal);
  auto reader = JournalReader::open(kDirectory, {.start_ns = 30 * kSecond, .end_ns = 40 * kSecond}, files);
  const ReadAll all = read_all(*reader);
  CHECK(all.gaps.empty());
  REQUIRE(all.records.size() == 20);
  CHECK(number_in(all.records.front().line, "epoch") == 30);
  CHECK(number_in(all.records.back().line, "epoch") == 39);
  CHECK(reader->position() == 201);
  CHECK(reader->counts().frames_read <= 3);
  CHECK(reader->counts().frames_passed >= 3);
}

TEST_CASE("frames without a term are not read, and every record with it is given", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files, options());
  append(journal, 1, 301);
  seal_all(journal);
  std::uint64_t read = 0;
  for (std::uint64_t term = 1; term <= 300; ++term) {
    auto reader = JournalReader::open(
        kDirectory, {.may_match = [&](const auto& filter) { return filter.may_contain(term); }}, files);
    const ReadAll all = read_all(*reader);
    CHECK(std::ranges::count_if(
              all.records, [&](const auto& record) { return number_in(record.line, "epoch") == term; }) == 2);
    read += reader->counts().frames_read;
  }
  CHECK(read < 2 * 300);
}

TEST_CASE("a reader keeps its place while segments are sealed under its feet", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files, options());
  auto reader = JournalReader::open(kDirectory, {}, files);
  REQUIRE(reader.has_value());
  CHECK(read_all(*reader).records.empty());
  std::mt19937_64 random(3);  // NOLINT(cert-msc*): the same on every run
  journal::Sequence next = 1;
  for (std::uint64_t epoch = 1; epoch < 300; ++epoch) {
    append(journal, epoch, epoch + 1);
    const std::uint64_t what = random() % 8;
    if (what == 0) next = follow(*reader, next);
    if (what == 1) REQUIRE(journal.seal_one().has_value());
    if (what == 2 && next < epoch) {
      const auto step = reader->next();
      REQUIRE(std::get<journal::Record>(*step).sequence == next++);
    }
  }
  CHECK(follow(*reader, next) == 599);
}

TEST_CASE("what retention removes under a reader's feet is told as one gap of exactly so many", "[unit]") {
  FaultyFs files;
  auto given = options();
  given.retained_bytes_max = 20'000;
  auto journal = open_journal(files, given);
  auto reader = JournalReader::open(kDirectory, {}, files);
  append(journal, 1, 10);
  CHECK(std::get<journal::Record>(*reader->next()).sequence == 1);
  append(journal, 10, 400);
  seal_all(journal);
  REQUIRE(journal.retain().has_value());
  const ReadAll all = read_all(*reader);
  REQUIRE(all.gaps.size() == 1);
  CHECK(all.gaps.front().reason == Gap::Reason::kRemoved);
  // The segment that was open is read to its end first.
  std::uint64_t count = 1 + all.records.size() + all.gaps.front().records.count;
  CHECK(count == 798);
  CHECK(all.records.back().sequence == 798);
  const journal::JournalState state = journal.state();
  CHECK(all.gaps.front().records.first + all.gaps.front().records.count == state.first);
}

TEST_CASE("a segment that is missing is told as such", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files, options());
  append(journal, 1, 61);
  seal_all(journal);
  std::vector<std::string> sealed;
  for (const std::string& path : files.paths()) {
    if (path.ends_with(".zst")) sealed.push_back(path);
  }
  REQUIRE(sealed.size() > 2);
  files.erase(sealed[1]);
  const ReadAll all = read_all(files);
  REQUIRE(all.gaps.size() == 1);
  CHECK(all.gaps.front().reason == Gap::Reason::kMissing);
  CHECK(all.records.size() + all.gaps.front().records.count == 120);
}

TEST_CASE("a sector that cannot be read is an error until it can, or until the reader gives it up",
          "[unit]") {
  for (const bool sealed : {true, false}) {
    FaultyFs files;
    auto journal = open_journal(files, options());
    append(journal, 1, 61);
    if (sealed) seal_all(journal);
    auto reader = JournalReader::open(kDirectory, {}, files);
    REQUIRE(reader->seek(sealed ? 1 : 5).has_value());
    REQUIRE(std::get<journal::Record>(*reader->next()).sequence == (sealed ? 1U : 5U));
    const journal::Sequence place = 40;
    REQUIRE(reader->seek(place).has_value());
    bool broken = true;
    bool opened = false;
    files.set_fault([&](Operation operation, const std::string& path) -> std::optional<int> {
      // The index of a sealed segment is read first, twice; then the frame.
      if (!broken || operation != Operation::kRead) return std::nullopt;
      if (sealed ? path.ends_with(".zst") : path.ends_with(".ndjson")) {
        opened = true;
        return EIO;
      }
      return std::nullopt;
    });
    CHECK(!reader->next().has_value());
    CHECK(opened);
    CHECK(reader->position() == place);
    const auto gap = reader->give_up();
    REQUIRE(gap.has_value());
    CHECK(gap->records.first == place);
    CHECK(gap->reason == Gap::Reason::kDamaged);
    broken = false;
    const auto step = reader->next();
    REQUIRE(step.has_value());
    CHECK(std::get<journal::Record>(*step).sequence == place + gap->records.count);
  }
}

TEST_CASE("waiting ends at once where there is more, and in time where there is not", "[unit]") {
  FaultyFs files;
  auto reader = JournalReader::open(kDirectory, {}, files);
  REQUIRE(reader.has_value());
  CHECK(!reader->wait(std::chrono::milliseconds(1)));
  auto journal = open_journal(files, options());
  CHECK(!reader->wait(std::chrono::milliseconds(1)));
  append(journal, 1, 2);
  CHECK(reader->wait(std::chrono::hours(1)));
  CHECK(follow(*reader, 1) == 3);
  CHECK(!reader->wait(std::chrono::milliseconds(1)));
}

}  // namespace flowtally::test
