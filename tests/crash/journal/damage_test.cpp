// Goal: whatever bytes of a journal a bad disk changes, a reader goes on to the end and tells what is
// missing; no record is invented, altered or given twice; the journal opens, says what it lost, and is
// appended to.
//
// Method: a journal in every form (sealed segments of several frames, one that is full, one that is open) is
// made once. Each round lays it out anew, damages it at random places (bytes, runs of bytes, files cut off or
// made longer) and holds what is read against what was written: before recovery, after it, and after what it
// left has been sealed. Lines and index of one open segment are not both damaged in one round: they are the
// witnesses of each other, and what then can be told is in docs/formats/journal.md.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "support/catch.hpp"
#include "support/faulty_fs.hpp"
#include "unit/journal/records.hpp"

namespace flowtally::test {
namespace {

using journal::Sequence;

constexpr std::uint64_t kRounds = 200;
constexpr std::uint64_t kWindows = 90;
constexpr std::uint64_t kBigWindows = 30;

using Files = std::map<std::string, std::string>;

struct Written {
  Files files;
  std::vector<std::string> lines;  ///< record n is lines[n - 1]
};

/// Windows of three records, which do not compress well; the first third of them with long lines.
Written write_journal() {
  std::mt19937_64 random(20261123);  // NOLINT(cert-msc*): the same journal on every run
  Written written;
  FaultyFs files;
  std::uint64_t segment = std::uint64_t{3} << 20U;
  for (const std::uint64_t until : {kBigWindows, kWindows}) {
    auto journal = open_journal(files, {.segment_bytes_max = segment, .describe = describe});
    for (std::uint64_t epoch = written.lines.size() / 3 + 1; epoch <= until; ++epoch) {
      std::vector<std::string> lines;
      std::vector<journal::Entry> batch;
      for (std::uint32_t part = 1; part <= 3; ++part) {
        std::string text;
        while (text.size() < (until == kBigWindows ? 40'000U : 400U)) text += fmt::format("{:x}", random());
        lines.push_back(
            fmt::format("{{\"epoch\":{},\"part\":{},\"parts\":3,\"x\":\"{}\"}}\n", epoch, part, text));
      }
      for (std::uint32_t part = 1; part <= 3; ++part) {
        const auto start = static_cast<std::int64_t>(epoch) * kSecond;
        batch.push_back({.line = lines[part - 1],
                         .start_ns = start,
                         .end_ns = start + kSecond,
                         .key = {.boot_hash = 7, .epoch = epoch, .part = part, .parts = 3}});
      }
      REQUIRE(journal.append(batch).has_value());
      std::ranges::move(lines, std::back_inserter(written.lines));
    }
    while (journal.state().full_segments > 2) REQUIRE(journal.seal_one().has_value());
    segment = 16'384;
  }
  for (const std::string& path : files.paths()) written.files[path] = files.read(path);
  return written;
}

/// The segment that a file belongs to.
std::string segment_of(const std::string& path) { return path.substr(0, path.find('.')); }

class Damage {
 public:
  Damage(Files files, std::uint64_t seed) : files_(std::move(files)), random_(seed) {
    for (std::uint64_t times = 1 + random_() % 5; times > 0; --times) one();
  }
  [[nodiscard]] const Files& files() const { return files_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void one() {
    auto file = files_.begin();
    std::advance(file, static_cast<std::ptrdiff_t>(random_() % files_.size()));
    auto& [path, bytes] = *file;
    const auto before = damaged_.find(segment_of(path));
    if (bytes.empty() || path.find("/0") == std::string::npos) return;
    if (before != damaged_.end() && before->second != path) return;
    damaged_[segment_of(path)] = path;
    const std::size_t at = random_() % bytes.size();
    switch (random_() % 6) {
      case 0: bytes.resize(at); break;
      case 1: bytes.append(1 + random_() % 5000, static_cast<char>(random_())); break;
      case 2: run(bytes, at, [](char) { return '\0'; }); break;
      case 3: run(bytes, at, [this](char) { return static_cast<char>(random_()); }); break;
      default: bytes[at] = static_cast<char>(bytes[at] ^ (1 << random_() % 7));
    }
    text_ += fmt::format("{} at {}, now {} bytes; ", path, at, bytes.size());
  }
  template <class Change>
  void run(std::string& bytes, std::size_t at, Change change) {
    const std::size_t end = std::min(bytes.size(), at + 1 + random_() % 5000);
    for (; at < end; ++at) bytes[at] = change(bytes[at]);
  }

  Files files_;
  std::mt19937_64 random_;
  std::map<std::string, std::string> damaged_;
  std::string text_;
};

/// What a reader gives from the first record that is there up to the end; what cannot be read it gives up.
/// Records and gaps follow each other without a hole, and each record is the one of its number.
struct Read {
  std::set<Sequence> records{};
  Sequence first = 0;
  Sequence next = 0;
  bool whole = true;  ///< false: an Error ended it
};

Read read_through(FaultyFs& files, const std::vector<std::string>& lines) {
  auto reader = journal::JournalReader::open(kDirectory, {}, files);
  REQUIRE(reader.has_value());
  Read read{.first = reader->position(), .next = reader->position()};
  for (std::size_t steps = 0;; ++steps) {
    REQUIRE(steps < 10'000);
    auto step = reader->next();
    if (!step) {
      const auto gap = reader->give_up();
      if (!gap) {
        read.whole = false;
        return read;
      }
      step = journal::Step(*gap);
    }
    if (const auto* const record = std::get_if<journal::Record>(&*step)) {
      REQUIRE(record->sequence == read.next);
      REQUIRE(record->sequence <= lines.size());
      REQUIRE((record->line == lines[record->sequence - 1]));
      read.records.insert(record->sequence);
      ++read.next;
    } else if (const auto* const gap = std::get_if<journal::Gap>(&*step)) {
      REQUIRE(gap->records.first == read.next);
      REQUIRE(gap->records.count > 0);
      REQUIRE(gap->reason != journal::Gap::Reason::kRemoved);
      read.next += gap->records.count;
    } else {
      REQUIRE(reader->position() == read.next);
      return read;
    }
  }
}

/// Opens, reads, appends, seals, and opens again: what is there stays there, what is new comes behind it.
void check_recovery(FaultyFs& files, std::vector<std::string> lines) {
  const journal::JournalOptions options{.segment_bytes_max = 16'384, .describe = describe};
  auto journal = open_journal(files, options);
  const Read recovered = read_through(files, lines);
  REQUIRE(recovered.whole);
  const Sequence next = journal.state().next;
  REQUIRE(recovered.next == next);
  lines.resize(next - 1);
  for (std::uint64_t epoch = 1001; epoch < 1004; ++epoch) {
    const Batch batch(epoch, 2, 4000);
    REQUIRE(journal.append(batch.entries()).value().first == lines.size() + 1);
    lines.insert(lines.end(), batch.lines().begin(), batch.lines().end());
  }
  while (journal.seal_one().value()) {
  }
  const Read sealed = read_through(files, lines);
  REQUIRE(sealed.whole);
  REQUIRE(sealed.next == next + 6);
  std::set<Sequence> expected = recovered.records;
  for (Sequence number = next; number < next + 6; ++number) expected.insert(number);
  REQUIRE((sealed.records == expected));
  {
    const journal::Journal closed = std::move(journal);
  }
  const auto again = open_journal(files, options);
  REQUIRE(again.state().next == next + 6);
  REQUIRE(again.last_key()->epoch == 1003);
  REQUIRE((read_through(files, lines).records == expected));
}

}  // namespace

TEST_CASE("whatever is damaged, what is read is what was written, and the rest is told", "[crash]") {
  const Written written = write_journal();
  std::size_t lost = 0;
  std::size_t ended = 0;
  for (std::uint64_t round = 1; round <= kRounds; ++round) {
    const Damage damage(written.files, round);
    INFO("round " << round << ": " << damage.text());
    FaultyFs files;
    for (const auto& [path, bytes] : damage.files()) files.write(path, bytes);
    const Read before = read_through(files, written.lines);
    lost += written.lines.size() - before.records.size();
    ended += before.whole ? 0 : 1;
    check_recovery(files, written.lines);
  }
  // Most of the journal is still read: a damaged frame or record is not the segment, nor the journal.
  CHECK(lost < kRounds * written.lines.size() / 4);
  CHECK(ended < kRounds / 4);
  CHECK(lost > kRounds);
}

}  // namespace flowtally::test
