// Goal: what a crash or a bad disk did to the files is made good as far as it can be, and said exactly where
// it cannot; nothing of a newer version is touched.
#include <algorithm>

#include "journal/bytes.hpp"
#include "journal/cursor_store.hpp"
#include "journal/index_format.hpp"
#include "journal/names.hpp"
#include "journal/sealed_format.hpp"
#include "support/catch.hpp"
#include "support/faulty_fs.hpp"
#include "unit/journal/records.hpp"

namespace flowtally::test {
namespace {

using journal::Gap;
using journal::index_bytes;
using journal::kIndexEntryBytes;
using Kind = journal::RecoveryEvent::Kind;

const std::string kLines = "/j/network/00000000000000000001.ndjson";
const std::string kIndex = "/j/network/00000000000000000001.index";
const std::string kSealed = "/j/network/00000000000000000001.ndjson.zst";

/// Ten windows of two records in one open segment.
void make_journal(FaultyFs& files, std::uint64_t windows = 10) {
  auto journal = open_journal(files, {.describe = describe});
  for (std::uint64_t epoch = 1; epoch <= windows; ++epoch) {
    const Batch batch(epoch, 2, 50);
    REQUIRE(journal.append(batch.entries()).has_value());
  }
}

/// The same, sealed; the last window in an open segment after it.
void make_sealed(FaultyFs& files) {
  make_journal(files);
  auto journal = open_journal(files, {.segment_bytes_max = 1, .describe = describe});
  const Batch big(11, 1, 5000);
  REQUIRE(journal.append(big.entries()).has_value());
  REQUIRE(journal.seal_one().value().has_value());
}

std::vector<journal::Sequence> numbers(const ReadAll& all) {
  std::vector<journal::Sequence> numbers;
  for (const ReadRecord& record : all.records) numbers.push_back(record.sequence);
  return numbers;
}

std::vector<journal::Sequence> from_to(journal::Sequence first, journal::Sequence last) {
  std::vector<journal::Sequence> numbers;
  for (; first <= last; ++first) numbers.push_back(first);
  return numbers;
}

bool reports(const journal::Journal& journal, Kind kind) {
  return std::ranges::any_of(journal.recovery().events,
                             [&](const auto& event) { return event.kind == kind; });
}

/// The checksum that stands behind so many bytes.
void set_sum(std::string& bytes, std::size_t offset, std::size_t length) {
  std::string sum;
  journal::put(sum, journal::checksum(std::string_view(bytes).substr(offset, length)));
  bytes.replace(offset + length, sum.size(), sum);
}

/// The journal can be appended to, and the record has the next number.
void check_appends(journal::Journal& journal, journal::Sequence expected) {
  const Batch batch(99, 1);
  const auto appended = journal.append(batch.entries());
  REQUIRE(appended.has_value());
  CHECK(appended->first == expected);
}

}  // namespace

TEST_CASE("a torn tail of lines or index is cut to the last whole batch and reported", "[unit]") {
  for (const bool lines : {true, false}) {
    FaultyFs whole;
    make_journal(whole);
    const std::size_t size = whole.read(lines ? kLines : kIndex).size();
    const std::size_t batch = lines ? size / 10 - 2 : 2 * kIndexEntryBytes;
    for (std::size_t cut = 1; cut <= batch; cut += 7) {
      FaultyFs files;
      make_journal(files);
      files.write(lines ? kLines : kIndex, files.read(lines ? kLines : kIndex).substr(0, size - cut));
      auto journal = open_journal(files);
      CHECK(reports(journal, Kind::kTornTail));
      CHECK(journal.last_key()->epoch == 9);
      CHECK(numbers(read_all(files)) == from_to(1, 18));
      check_appends(journal, 19);
      CHECK(numbers(read_all(files)) == from_to(1, 19));
    }
  }
}

TEST_CASE("bytes that follow the last whole batch are cut, whatever they are", "[unit]") {
  FaultyFs files;
  make_journal(files);
  files.write(kLines, files.read(kLines) + "{\"half\":");
  files.write(kIndex, files.read(kIndex) + std::string(200, '\0'));
  auto journal = open_journal(files);
  CHECK(reports(journal, Kind::kTornTail));
  check_appends(journal, 21);
}

TEST_CASE("a missing or damaged index is made anew from the lines, with keys where lines can be described",
          "[unit]") {
  for (const bool described : {true, false}) {
    for (const int how : {0, 1, 2}) {
      FaultyFs files;
      make_journal(files);
      if (how == 0) files.erase(kIndex);
      if (how == 1) files.write(kIndex, "");
      if (how == 2) files.damage(kIndex, 20);
      files.write(kLines, files.read(kLines) + "{\"epoch\":11,\"part\":1,\"parts\":2}\n{\"epo");
      auto journal =
          open_journal(files, {.describe = described ? journal::Describe(describe) : journal::Describe()});
      CHECK(reports(journal, Kind::kIndexRebuilt));
      CHECK(reports(journal, Kind::kTornTail));
      const ReadAll all = read_all(files);
      // Half a window is cut where somebody can say that it is half.
      CHECK(numbers(all) == from_to(1, described ? 20 : 21));
      CHECK(journal.last_key().has_value() == described);
      CHECK(all.records.front().start_ns == (described ? kSecond : journal::kTimeUnknownStart));
      check_appends(journal, described ? 21 : 22);
    }
  }
}

TEST_CASE("a damaged entry before the end is made anew from its line", "[unit]") {
  for (const std::size_t record : {0U, 1U, 2U, 7U, 17U}) {
    FaultyFs files;
    make_journal(files);
    files.damage(kIndex, index_bytes(record) + 3);
    auto journal = open_journal(files, {.describe = describe});
    CHECK(reports(journal, Kind::kIndexRebuilt));
    CHECK(!reports(journal, Kind::kRecordsLost));
    const ReadAll all = read_all(files);
    CHECK(numbers(all) == from_to(1, 20));
    check_appends(journal, 21);
    CHECK(all.records[record].start_ns == static_cast<std::int64_t>(record / 2 + 1) * kSecond);
  }
}

TEST_CASE("where the index is lost, a line that is no record is none afterwards", "[unit]") {
  for (const bool all : {true, false}) {
    FaultyFs files;
    make_journal(files);
    const std::size_t line = files.read(kLines).size() / 20;
    std::string lines = files.read(kLines);
    lines.replace(6 * line, 10, "XXXXXXXXXX");
    files.write(kLines, lines);
    if (all) {
      files.erase(kIndex);
    } else {
      files.damage(kIndex, index_bytes(6) + 3);
    }
    auto journal = open_journal(files, {.describe = describe});
    CHECK(reports(journal, Kind::kRecordsLost));
    // Without an index the batches are not known, and only the line is lost.
    CHECK(read_all(files).gaps == std::vector<Gap>{{.records = {.first = 7, .count = all ? 1U : 2U},
                                                    .reason = Gap::Reason::kDamaged}});
    check_appends(journal, 21);
  }
}

TEST_CASE("a damaged line before the end loses its batch, and its numbers are told as a gap", "[unit]") {
  FaultyFs files;
  make_journal(files);
  const std::size_t line = files.read(kLines).size() / 20;
  files.damage(kLines, 6 * line + line / 2);
  {
    // A reader in another process, before any recovery: the one record.
    const ReadAll all = read_all(files);
    CHECK(all.gaps ==
          std::vector<Gap>{{.records = {.first = 7, .count = 1}, .reason = Gap::Reason::kDamaged}});
  }
  auto journal = open_journal(files, {.segment_bytes_max = 1});
  CHECK(reports(journal, Kind::kRecordsLost));
  const std::vector<Gap> gap{{.records = {.first = 7, .count = 2}, .reason = Gap::Reason::kDamaged}};
  CHECK(read_all(files).gaps == gap);
  const Batch big(11, 1, 5000);
  REQUIRE(journal.append(big.entries()).has_value());
  const auto sealed = journal.seal_one();
  REQUIRE(sealed.value().has_value());
  CHECK((*sealed)->lost == 2);
  const ReadAll all = read_all(files);
  CHECK(all.gaps == gap);
  CHECK(all.records.size() == 19);
}

TEST_CASE("a corrupt frame of a sealed segment is skipped and told with its numbers", "[unit]") {
  FaultyFs files;
  make_sealed(files);
  CHECK(!files.has(kLines));
  CHECK(numbers(read_all(files)) == from_to(1, 21));
  files.damage(kSealed, 40);
  const ReadAll all = read_all(files);
  CHECK(all.gaps ==
        std::vector<Gap>{{.records = {.first = 1, .count = 20}, .reason = Gap::Reason::kDamaged}});
  CHECK(numbers(all) == from_to(21, 21));
  auto journal = open_journal(files);
  check_appends(journal, 22);
}

TEST_CASE("a sealed segment with a damaged index is read without it", "[unit]") {
  FaultyFs whole;
  make_sealed(whole);
  const std::size_t size = whole.read(kSealed).size();
  for (const std::size_t from_end : {1U, 10U, 17U, 100U, 140U, 200U}) {
    FaultyFs files;
    make_sealed(files);
    files.damage(kSealed, size - from_end);
    const ReadAll all = read_all(files);
    CHECK(numbers(all) == from_to(1, 21));
    CHECK(all.records.front().start_ns == journal::kTimeUnknownStart);
    auto journal = open_journal(files);
    CHECK(reports(journal, Kind::kSealedDamaged) == (from_end <= 136));
    check_appends(journal, 22);
  }
}

TEST_CASE("without its index a sealed segment gives no frame that is damaged", "[unit]") {
  FaultyFs whole;
  make_sealed(whole);
  const std::size_t size = whole.read(kSealed).size();
  const std::size_t frames_end = whole.read(kSealed).find("\x5b\x2a\x4d\x18");
  REQUIRE(frames_end < size);
  for (std::size_t at = 0; at < frames_end; ++at) {
    FaultyFs files;
    make_sealed(files);
    files.damage(kSealed, size - 1);
    files.damage(kSealed, at);
    const ReadAll all = read_all(files);
    CHECK(numbers(all) == from_to(21, 21));
    CHECK(all.gaps ==
          std::vector<Gap>{{.records = {.first = 1, .count = 20}, .reason = Gap::Reason::kDamaged}});
  }
}

TEST_CASE("behind a sealed segment that was cut off no number is given twice", "[unit]") {
  FaultyFs files;
  make_sealed(files);
  files.write(kSealed, files.read(kSealed).substr(0, 20));
  for (const std::string& path : files.paths()) {
    if (path.find("00000000000000000021") != std::string::npos) files.erase(path);
  }
  auto journal = open_journal(files);
  CHECK(reports(journal, Kind::kSealedDamaged));
  check_appends(journal, 1 + journal::kSegmentRecordsMax);
  const ReadAll all = read_all(files);
  CHECK(all.records.size() == 1);
  CHECK(all.gaps == std::vector<Gap>{{.records = {.first = 1, .count = journal::kSegmentRecordsMax},
                                      .reason = Gap::Reason::kDamaged}});
}

TEST_CASE("what a crash between sealing and removal leaves is one good version", "[unit]") {
  FaultyFs open_form;
  make_journal(open_form);
  FaultyFs files;
  make_sealed(files);
  const std::string sealed = files.read(kSealed);
  SECTION("the sealed one, where it is whole") {
    files.write(kLines, open_form.read(kLines));
    files.write(kIndex, open_form.read(kIndex));
    CHECK(numbers(read_all(files)) == from_to(1, 21));
    const auto journal = open_journal(files);
    CHECK(reports(journal, Kind::kLeftover));
    CHECK(!files.has(kLines));
    CHECK(!files.has(kIndex));
  }
  SECTION("the open one, where the sealed one is damaged") {
    files.write(kLines, open_form.read(kLines));
    files.write(kIndex, open_form.read(kIndex));
    files.write(kSealed, sealed.substr(0, sealed.size() - 5));
    const auto journal = open_journal(files);
    CHECK(reports(journal, Kind::kSealedDropped));
    CHECK(!files.has(kSealed));
  }
  SECTION("the sealed one, where only the index is left of the open one") {
    files.write(kIndex, open_form.read(kIndex));
    const auto journal = open_journal(files);
    CHECK(!files.has(kIndex));
  }
  SECTION("and nothing of what was never finished") {
    files.write(kSealed + ".aside", "half");
    const auto journal = open_journal(files);
    CHECK(reports(journal, Kind::kLeftover));
    CHECK(!files.has(kSealed + ".aside"));
  }
  CHECK(numbers(read_all(files)) == from_to(1, 21));
}

TEST_CASE("a segment whose lines are gone is told, and its numbers are not given again", "[unit]") {
  FaultyFs files;
  make_journal(files);
  files.erase(kLines);
  auto journal = open_journal(files);
  CHECK(reports(journal, Kind::kRecordsLost));
  CHECK(!journal.last_key().has_value());
  check_appends(journal, 21);
}

TEST_CASE("a newer version is refused with a clear error and left as it is", "[unit]") {
  FaultyFs files;
  make_sealed(files);
  const std::string index = "/j/network/00000000000000000021.index";
  SECTION("of an index") {
    std::string bytes = files.read(index);
    bytes[8] = 9;
    set_sum(bytes, 0, 64);
    files.write(index, bytes);
  }
  SECTION("of a sealed segment") {
    std::string bytes = files.read(kSealed);
    bytes[bytes.size() - 20] = 9;
    set_sum(bytes, bytes.size() - journal::kTrailerBytes, journal::kTrailerBytes - 8);
    files.write(kSealed, bytes);
    CHECK(!journal::JournalReader::open(kDirectory, {}, files)->next().has_value());
  }
  files.write("/j/network/x.aside", "");
  const auto before = files.paths();
  const auto opened = journal::Journal::open({.directory = kDirectory}, files);
  REQUIRE(!opened.has_value());
  CHECK(opened.error().code() == base::ErrorCode::kUnsupported);
  CHECK(opened.error().text().find("version 9") != std::string::npos);
  CHECK(!opened.error().remedy().empty());
  CHECK(files.paths() == before);
}

TEST_CASE("a cursor behind the end is pulled back, because its numbers are given again", "[unit]") {
  FaultyFs files;
  make_journal(files);
  journal::CursorStore cursors(files, kDirectory);
  REQUIRE(cursors.save("ahead", 21).has_value());
  REQUIRE(cursors.save("behind", 5).has_value());
  files.write(kIndex, files.read(kIndex).substr(0, index_bytes(18)));
  const auto journal = open_journal(files);
  CHECK(reports(journal, Kind::kCursorPulledBack));
  CHECK(cursors.load("ahead").value() == 19);
  CHECK(cursors.load("behind").value() == 5);
}

TEST_CASE("a damaged count of what was removed is kept aside, and the journal opens", "[unit]") {
  FaultyFs files;
  make_journal(files);
  files.write("/j/network/removed", "flowtally-removed 1 1 2 3 4 00\n");
  const auto journal = open_journal(files);
  CHECK(reports(journal, Kind::kCountsLost));
  CHECK(files.has("/j/network/removed.damaged"));
  CHECK(journal.state().removed == journal::Removed{});
}

}  // namespace flowtally::test
