// Goal: whatever file operation is the last one before the machine dies, and whatever of the bytes that were
// not synced arrives, the journal opens again with every acknowledged batch once, no half batch, numbers
// without hole or repeat, and cursors that can be used.
//
// Method: a script of random operations (append, seal, retain, open again, save a cursor) runs against a file
// system in memory and a model, a list of batches. It is run once to count its file operations, then once for
// each of them, to die there. The machine restarts with a random part of what was not synced, the journal is
// opened and held against the model; recovery itself is made to die as well; then the script goes on, to show
// that what was recovered can be appended to.
#include <algorithm>
#include <random>

#include "journal/cursor_store.hpp"
#include "support/catch.hpp"
#include "support/faulty_fs.hpp"
#include "unit/journal/records.hpp"

namespace flowtally::test {
namespace {

using journal::Gap;
using journal::Sequence;

constexpr int kSteps = 60;
constexpr std::uint64_t kScripts = 6;

journal::JournalOptions options_of(std::uint64_t script, std::uint64_t* boot_ns) {
  journal::JournalOptions options{.directory = kDirectory, .segment_bytes_max = 4096, .describe = describe};
  options.retained_bytes_max = script % 2 == 0 ? std::uint64_t{1} << 30U : 9'000;
  options.now = [boot_ns] {
    return base::Moment{.boot_ns = static_cast<std::int64_t>(*boot_ns), .wall_ns = 0};
  };
  return options;
}

/// What must be in the journal. A batch that failed when the machine died may be there or not.
struct Model {
  std::vector<std::uint32_t> parts{};       ///< by epoch, from 1; acknowledged
  std::optional<std::uint32_t> in_doubt{};  ///< parts of the one that follows
  Sequence acknowledged_next = 1;
  Sequence cursor_saved = 0;  ///< the last that was acknowledged
  Sequence cursor_tried = 0;
};

class Run {
 public:
  Run(std::uint64_t script, std::uint64_t seed) : files_(seed), script_(script), random_(script) {}

  /// Up to the end of the script, or the death of the machine.
  void play(int steps) {
    for (int step = 0; step < steps && !files_.crashed(); ++step) play_one();
  }
  void die_at(std::uint64_t operation) { files_.crash_at(operation); }
  [[nodiscard]] std::uint64_t operations() const { return files_.operations(); }
  [[nodiscard]] bool dead() const { return files_.crashed(); }

  /// Restarts until the journal opens; the first tries die in the middle of the recovery.
  void recover(std::uint64_t deaths) {
    journal_.reset();
    files_.restart();
    for (std::uint64_t death = 1; death <= deaths; ++death) {
      files_.crash_at(files_.operations() + death);
      auto opened = journal::Journal::open(options_of(script_, &boot_ns_), files_);
      if (!files_.crashed()) {
        REQUIRE(opened.has_value());
        files_.crash_at(UINT64_MAX);
        break;
      }
      opened = base::fail(base::Error(base::ErrorCode::kIo, "dead"));
      files_.restart();
    }
    open();
  }

  void check();

 private:
  void open() {
    auto opened = journal::Journal::open(options_of(script_, &boot_ns_), files_);
    if (!opened) {
      INFO(opened.error().text());
      REQUIRE(files_.crashed());
      return;
    }
    journal_.emplace(std::move(*opened));
  }
  void play_one();
  void append();
  void save_cursor();

  FaultyFs files_;
  std::uint64_t script_;
  std::mt19937_64 random_;
  std::uint64_t boot_ns_ = 1;
  std::optional<journal::Journal> journal_;
  Model model_;
};

void Run::append() {
  const auto parts = static_cast<std::uint32_t>(1 + random_() % 5);
  const Batch batch(model_.parts.size() + 1, parts, random_() % 300);
  const auto appended = journal_->append(batch.entries());
  if (!appended) {
    REQUIRE(files_.crashed());
    model_.in_doubt = parts;
    return;
  }
  CHECK(appended->first == model_.acknowledged_next);
  model_.acknowledged_next += parts;
  model_.parts.push_back(parts);
}

void Run::save_cursor() {
  journal::CursorStore cursors(files_, kDirectory);
  const Sequence next = 1 + random_() % model_.acknowledged_next;
  model_.cursor_tried = next;
  if (cursors.save("sink", next)) model_.cursor_saved = next;
}

void Run::play_one() {
  boot_ns_ += 1000;
  if (!journal_) return open();
  const std::uint64_t what = random_() % 20;
  if (what < 13) return append();
  if (what < 16) {
    static_cast<void>(journal_->seal_one());
  } else if (what == 16) {
    static_cast<void>(journal_->retain());
  } else if (what < 19) {
    save_cursor();
  } else {
    journal_.reset();
    open();
  }
}

void Run::check() {
  INFO("script " << script_);
  REQUIRE(journal_.has_value());
  // A batch in doubt is there wholly or not at all; last_key() says which.
  const auto last = journal_->last_key();
  const std::uint64_t last_epoch = last ? last->epoch : 0;
  if (model_.in_doubt && last_epoch == model_.parts.size() + 1) {
    model_.parts.push_back(*model_.in_doubt);
    model_.acknowledged_next += *model_.in_doubt;
  }
  model_.in_doubt.reset();
  REQUIRE(last_epoch == model_.parts.size());
  const auto state = journal_->state();
  REQUIRE(state.next == model_.acknowledged_next);

  auto reader = journal::JournalReader::open(kDirectory, {}, files_);
  REQUIRE(reader.has_value());
  const Sequence oldest = reader->position();
  REQUIRE(oldest == state.first);
  REQUIRE(reader->seek(1).has_value());
  const ReadAll all = read_all(*reader);
  if (oldest > 1) {
    REQUIRE(all.gaps == std::vector<Gap>{
                            {.records = {.first = 1, .count = oldest - 1}, .reason = Gap::Reason::kRemoved}});
  } else {
    REQUIRE(all.gaps.empty());
  }
  REQUIRE(state.removed.below == std::max<Sequence>(oldest, 1));
  REQUIRE(state.removed.records == oldest - 1);
  std::size_t at = 0;
  Sequence sequence = 1;
  for (std::uint64_t epoch = 1; epoch <= model_.parts.size(); ++epoch) {
    for (std::uint32_t part = 1; part <= model_.parts[epoch - 1]; ++part, ++sequence) {
      if (sequence < oldest) continue;
      REQUIRE(at < all.records.size());
      const ReadRecord& record = all.records[at++];
      REQUIRE(record.sequence == sequence);
      REQUIRE(number_in(record.line, "epoch") == epoch);
      REQUIRE(number_in(record.line, "part") == part);
    }
  }
  REQUIRE(at == all.records.size());

  journal::CursorStore cursors(files_, kDirectory);
  const auto cursor = cursors.load("sink");
  REQUIRE(cursor.has_value());
  const Sequence found = cursor->value_or(0);
  REQUIRE((found == model_.cursor_saved || found == model_.cursor_tried));
  model_.cursor_saved = found;
  if (found > 0) REQUIRE(reader->seek(found).has_value());
}

}  // namespace

TEST_CASE("the machine may die at any file operation", "[crash]") {
  for (std::uint64_t script = 1; script <= kScripts; ++script) {
    Run whole(script, 1);
    whole.play(kSteps);
    const std::uint64_t operations = whole.operations();
    CHECK(operations > 200);
    for (std::uint64_t death = 1; death <= operations; ++death) {
      INFO("death at operation " << death);
      Run run(script, script * 1'000'003 + death);
      run.die_at(death);
      run.play(kSteps);
      REQUIRE(run.dead());
      run.recover(death % 8);
      run.check();
      run.play(6);
      run.check();
    }
  }
}

}  // namespace flowtally::test
