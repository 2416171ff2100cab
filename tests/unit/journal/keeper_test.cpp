// Goal: what is full gets sealed and what is too much goes, without the writer doing anything but appending;
// trouble is told, ends with its cause, and never ends the keeper.
//
// Method: the keeper's own word after each round is what tests wait for, with a deadline. Its interval is an
// hour, unless it is what the test is about, so that nothing happens by chance.
#include "journal/keeper.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

#include "support/catch.hpp"
#include "support/faulty_fs.hpp"
#include "unit/journal/records.hpp"

namespace flowtally::test {
namespace {

using journal::JournalKeeper;
using journal::JournalOptions;
using journal::KeeperState;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// What a keeper says after each round, to be waited for.
class Rounds {
 public:
  [[nodiscard]] journal::KeeperOptions options(milliseconds interval = hours(1)) {
    return {.interval = interval, .after_round = [this](const KeeperState& state) {
              {
                const std::lock_guard guard(mutex_);
                last_ = state;
              }
              told_.notify_all();
            }};
  }
  /// The state after the first round, now or later, of which `is` is true.
  [[nodiscard]] KeeperState wait_for(const std::function<bool(const KeeperState&)>& is) {
    std::unique_lock lock(mutex_);
    REQUIRE(told_.wait_for(lock, seconds(20), [&] { return last_.rounds > 0 && is(last_); }));
    return last_;
  }
  [[nodiscard]] KeeperState wait_for_round(std::uint64_t number) {
    return wait_for([&](const KeeperState& state) { return state.rounds >= number; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable told_;
  KeeperState last_;
};

std::unique_ptr<JournalKeeper> start(journal::Journal& journal, journal::KeeperOptions options) {
  auto keeper = JournalKeeper::start(journal, std::move(options));
  REQUIRE(keeper.has_value());
  return std::move(*keeper);
}

/// Windows [begin, end) of two records; a segment holds about eight of them.
void append(journal::Journal& journal, std::uint64_t begin, std::uint64_t end) {
  for (std::uint64_t epoch = begin; epoch < end; ++epoch) {
    const Batch batch(epoch, 2, 200);
    REQUIRE(journal.append(batch.entries()).has_value());
  }
}

JournalOptions small_segments() { return {.segment_bytes_max = 4096, .describe = describe}; }

void check_all_there(FaultyFs& files, std::size_t count) {
  const ReadAll all = read_all(files);
  CHECK(all.gaps.empty());
  REQUIRE(all.records.size() == count);
  for (std::size_t at = 0; at < count; ++at) CHECK(all.records[at].sequence == at + 1);
}

}  // namespace

TEST_CASE("a keeper begins with what it finds, and seals what is full when it is told", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files, small_segments());
  append(journal, 1, 51);
  const auto full = journal.state().full_segments;
  REQUIRE(full > 3);
  Rounds rounds;
  const auto keeper = start(journal, rounds.options());
  const KeeperState first = rounds.wait_for_round(1);
  CHECK(first.sealed == full);
  CHECK(first.sealed_bytes < first.sealed_raw_bytes / 2);
  CHECK(first.failures == 0);
  append(journal, 51, 101);
  CHECK(journal.state().full_segments > 3);
  keeper->poke();
  static_cast<void>(rounds.wait_for([&](const KeeperState& state) { return state.sealed > full; }));
  CHECK(journal.state().full_segments == 0);
  CHECK(keeper->state().removed == journal::Removed{});
  check_all_there(files, 200);
}

TEST_CASE("a keeper looks by itself when its interval is over", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files, small_segments());
  Rounds rounds;
  const auto keeper = start(journal, rounds.options(milliseconds(1)));
  append(journal, 1, 51);
  static_cast<void>(rounds.wait_for([](const KeeperState& state) { return state.sealed > 3; }));
}

TEST_CASE("a keeper removes what is beyond the limits, after sealing made it as small as it gets", "[unit]") {
  FaultyFs files;
  JournalOptions options = small_segments();
  options.retained_bytes_max = 32'768;
  auto journal = open_journal(files, options);
  append(journal, 1, 101);
  CHECK(journal.state().bytes > 50'000);
  Rounds rounds;
  const auto keeper = start(journal, rounds.options());
  CHECK(rounds.wait_for_round(1).removed.segments == 0);
  CHECK(journal.state().bytes < 32'768);
  check_all_there(files, 200);
  for (std::uint64_t epoch = 101; rounds.wait_for_round(1).removed.segments == 0; ++epoch) {
    REQUIRE(epoch < 5'000);
    append(journal, epoch, epoch + 1);
    const auto before = keeper->state().rounds;
    keeper->poke();
    static_cast<void>(rounds.wait_for_round(before + 1));
  }
  CHECK(keeper->state().removed == journal.state().removed);
  CHECK(journal.state().first == keeper->state().removed.below);
}

TEST_CASE("a full disk is told with its reason, and heals", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files, small_segments());
  append(journal, 1, 51);
  std::uint64_t used = 0;
  for (const std::string& path : files.paths()) used += files.read(path).size();
  files.set_capacity(used);
  Rounds rounds;
  const auto keeper = start(journal, rounds.options(milliseconds(5)));
  const KeeperState failing = rounds.wait_for([](const KeeperState& state) { return state.failures >= 3; });
  CHECK(failing.failing_since.has_value());
  CHECK(failing.failure.find("No space left") != std::string::npos);
  CHECK(failing.sealed == 0);
  check_all_there(files, 100);
  files.set_capacity(UINT64_MAX);
  const KeeperState healed = rounds.wait_for([](const KeeperState& state) { return state.sealed > 3; });
  CHECK(!healed.failing_since.has_value());
  CHECK(healed.failure.empty());
  CHECK(healed.failures >= 3);
  check_all_there(files, 100);
}

TEST_CASE("after a failure a keeper is not told into trying again before its interval is over", "[unit]") {
  FaultyFs files;
  auto journal = open_journal(files, small_segments());
  append(journal, 1, 51);
  files.set_fault([](Operation operation, const std::string& path) -> std::optional<int> {
    if (operation == Operation::kCreate && path.ends_with(".aside")) return EIO;
    return std::nullopt;
  });
  Rounds rounds;
  const auto keeper = start(journal, rounds.options());
  CHECK(rounds.wait_for_round(1).failures == 1);
  for (int times = 0; times < 1000; ++times) {
    keeper->poke();
    std::this_thread::yield();
  }
  CHECK(keeper->state().rounds == 1);
}

TEST_CASE("an exception of whoever finds terms is a failure like others", "[unit]") {
  FaultyFs files;
  std::atomic<bool> throws = true;
  JournalOptions options = small_segments();
  options.seal.terms_of = [&](std::string_view /*line*/, const journal::TermSink& sink) {
    if (throws) throw std::bad_alloc();
    sink(1);
  };
  auto journal = open_journal(files, options);
  append(journal, 1, 51);
  Rounds rounds;
  const auto keeper = start(journal, rounds.options(milliseconds(5)));
  CHECK(rounds.wait_for([](const KeeperState& state) { return state.failures > 0; }).sealed == 0);
  throws = false;
  static_cast<void>(rounds.wait_for([](const KeeperState& state) { return state.sealed > 3; }));
  check_all_there(files, 100);
}

TEST_CASE("a keeper that ends gives up the seal that is going on and leaves nothing half made", "[unit]") {
  FaultyFs files;
  std::mutex mutex;
  std::condition_variable changed;
  bool sealing = false;
  bool ending = false;
  JournalOptions options = small_segments();
  options.seal.terms_of = [&](std::string_view /*line*/, const journal::TermSink& /*sink*/) {
    std::unique_lock lock(mutex);
    sealing = true;
    changed.notify_all();
    changed.wait_for(lock, seconds(20), [&] { return ending; });
  };
  auto journal = open_journal(files, options);
  append(journal, 1, 51);
  const auto full = journal.state().full_segments;
  Rounds rounds;
  auto keeper = start(journal, rounds.options());
  {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, seconds(20), [&] { return sealing; }));
  }
  // The keeper is in the middle of a line. It is told to end, and the line ends some time after that.
  std::jthread ends([&] { keeper.reset(); });
  {
    const std::lock_guard guard(mutex);
    ending = true;
  }
  changed.notify_all();
  ends.join();
  CHECK(journal.state().full_segments + rounds.wait_for_round(1).sealed == full);
  for (const std::string& path : files.paths()) CHECK(!path.ends_with(".aside"));
  check_all_there(files, 100);
}

TEST_CASE("a keeper, a writer, readers and whoever asks for the state do not disturb each other", "[unit]") {
  FaultyFs files;
  JournalOptions options = small_segments();
  options.retained_bytes_max = 65'536;
  auto journal = open_journal(files, options);
  Rounds rounds;
  auto keeper = start(journal, rounds.options(milliseconds(2)));
  std::jthread asks([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      static_cast<void>(keeper->state());
      static_cast<void>(journal.state());
    }
  });
  std::uint64_t epoch = 1;
  while (epoch < 500 || (keeper->state().removed.segments == 0 && epoch < 5'000)) {
    append(journal, epoch, epoch + 1);
    keeper->poke();
    // Now and then the writer waits, so that it is never far ahead, however little time the keeper gets.
    if (epoch % 20 == 0) static_cast<void>(rounds.wait_for_round(keeper->state().rounds + 1));
    ++epoch;
  }
  asks.request_stop();
  asks.join();
  const KeeperState state = keeper->state();
  CHECK(state.failures == 0);
  CHECK(state.removed.segments > 0);
  keeper.reset();  // what it removed under the reader's feet would be a gap
  const ReadAll all = read_all(files);
  CHECK(all.gaps.empty());
  CHECK(all.records.back().sequence == 2 * (epoch - 1));
}

}  // namespace flowtally::test
