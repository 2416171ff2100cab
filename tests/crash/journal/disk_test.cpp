// Goal: a disk that is full or read-only does no harm: what cannot be written is said and is not half there,
// what was written is read, nothing piles up in memory, and all is well again when the disk is.
//
// Method: a real file system, a tmpfs of a few MiB in a mount namespace of the test's own.
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "journal/cursor_store.hpp"
#include "journal/keeper.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"
#include "unit/journal/records.hpp"

namespace flowtally::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDiskBytes = std::size_t{8} << 20U;
constexpr std::size_t kBallastBytes = std::size_t{1} << 20U;
constexpr std::uint64_t kSegmentBytes = std::uint64_t{512} << 10U;
/// Bytes of one record; a batch has four.
constexpr std::size_t kPadding = 20'000;

/// A small disk of the test's own, with a file on it that only takes room.
class SmallDisk {
 public:
  SmallDisk() {
    if (::unshare(CLONE_NEWNS) != 0) SKIP("needs the right to make mount namespaces");
    REQUIRE(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    const std::string size = fmt::format("size={}", kDiskBytes);
    REQUIRE(::mount("tmpfs", path().c_str(), "tmpfs", 0, size.c_str()) == 0);
    const base::UniqueFd fd(::open(ballast().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    REQUIRE(::posix_fallocate(fd.get(), 0, kBallastBytes) == 0);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() { ::umount2(path().c_str(), MNT_DETACH); }

  /// An Error where somebody has a file open to write.
  void set_read_only(bool on) const {
    const unsigned long flags = MS_REMOUNT | (on ? static_cast<unsigned long>(MS_RDONLY) : 0UL);
    REQUIRE(::mount("tmpfs", path().c_str(), "tmpfs", flags, nullptr) == 0);
  }
  /// To the last page: a batch that finds no room leaves some.
  void take_the_rest() const {
    const base::UniqueFd fd(::open((path() + "/rest").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    const std::string page(4096, 'x');
    while (::write(fd.get(), page.data(), page.size()) > 0) {
    }
  }
  void make_room() const { REQUIRE(fs::remove(ballast())); }
  [[nodiscard]] std::string path() const { return directory_.path.string(); }
  [[nodiscard]] std::string journal() const { return path() + "/network"; }
  [[nodiscard]] std::string ballast() const { return path() + "/ballast"; }

 private:
  TempDir directory_;
};

journal::Journal open_on(const SmallDisk& disk, std::uint64_t retained_bytes = std::uint64_t{1} << 30U) {
  auto opened = journal::Journal::open({.directory = disk.journal(),
                                        .segment_bytes_max = kSegmentBytes,
                                        .retained_bytes_max = retained_bytes,
                                        .describe = describe});
  INFO((opened ? std::string() : opened.error().text()));
  REQUIRE(opened.has_value());
  return std::move(*opened);
}

base::Result<journal::SequenceRange> append(journal::Journal& journal, std::uint64_t epoch) {
  const Batch batch(epoch, 4, kPadding);
  return journal.append(batch.entries());
}

/// Appends until the disk is full; the last epoch that is in the journal.
std::uint64_t fill(journal::Journal& journal, std::uint64_t epoch = 0) {
  while (true) {
    const auto appended = append(journal, epoch + 1);
    if (!appended) {
      CHECK(appended.error().code() == base::ErrorCode::kResource);
      CHECK(appended.error().sys_errno() == ENOSPC);
      CHECK(appended.error().text().find("append 4 records to") != std::string::npos);
      return epoch;
    }
    ++epoch;
    REQUIRE(epoch * kPadding < kDiskBytes);
  }
}

/// Windows `first` to `last` are there, each whole and once, and nothing else.
void check_windows(const SmallDisk& disk, std::uint64_t first, std::uint64_t last) {
  auto reader = journal::JournalReader::open(disk.journal());
  REQUIRE(reader.has_value());
  const ReadAll all = read_all(*reader);
  CHECK(all.gaps.empty());
  REQUIRE(all.records.size() == (last - first + 1) * 4);
  for (std::size_t at = 0; at < all.records.size(); ++at) {
    CHECK(number_in(all.records[at].line, "epoch") == first + at / 4);
    CHECK(number_in(all.records[at].line, "part") == 1 + at % 4);
  }
}

}  // namespace

TEST_CASE("a full disk is said, nothing is half written or kept in memory, and it heals", "[crash]") {
  const SmallDisk disk;
  auto journal = open_on(disk);
  journal::CursorStore cursors(journal::posix_file_system(), disk.journal());
  REQUIRE(cursors.save("siem", 3).has_value());
  const std::uint64_t last = fill(journal);
  const auto before = ::mallinfo2().uordblks;
  for (int tries = 0; tries < 500; ++tries) CHECK(!append(journal, last + 1).has_value());
  CHECK(::mallinfo2().uordblks < before + 65'536);
  const auto failing = journal.state();
  CHECK(failing.next == last * 4 + 1);
  CHECK(failing.failures == 501);
  CHECK(failing.failing_since.has_value());
  CHECK(failing.failure.find("No space left on device") != std::string::npos);
  check_windows(disk, 1, last);
  disk.take_the_rest();
  CHECK(!cursors.save("siem", 4).has_value());
  CHECK(cursors.load("siem").value() == 3);

  SECTION("while the journal is open") {
    disk.make_room();
    const auto appended = append(journal, last + 1);
    REQUIRE(appended.has_value());
    CHECK(appended->first == last * 4 + 1);
    CHECK(!journal.state().failing_since.has_value());
    CHECK(journal.state().failure.empty());
    check_windows(disk, 1, last + 1);
  }
  SECTION("and a journal that is opened on a full disk") {
    {
      const journal::Journal closed = std::move(journal);
    }
    auto again = open_on(disk);
    CHECK(again.last_key()->epoch == last);
    CHECK(!append(again, last + 1).has_value());
    disk.make_room();
    REQUIRE(append(again, last + 1).has_value());
    check_windows(disk, 1, last + 1);
  }
}

TEST_CASE("where the limit is lowered, retention makes room on a disk that is full to the last byte",
          "[crash]") {
  const SmallDisk disk;
  std::uint64_t last = 0;
  {
    auto journal = open_on(disk);
    last = fill(journal);
  }
  disk.take_the_rest();  // so that not even the count of what was removed can be written first
  auto journal = open_on(disk, 4 * kSegmentBytes);
  std::mutex mutex;
  std::condition_variable told;
  journal::KeeperState state;
  auto keeper = journal::JournalKeeper::start(
      journal, {.interval = std::chrono::milliseconds(5), .after_round = [&](const auto& after) {
                  const std::lock_guard guard(mutex);
                  state = after;
                  told.notify_all();
                }});
  REQUIRE(keeper.has_value());
  {
    std::unique_lock lock(mutex);
    REQUIRE(told.wait_for(lock, std::chrono::seconds(20), [&] {
      return state.sealed > 0 && state.removed.segments > 0 && !state.failing_since;
    }));
    INFO(state.failure);
    CHECK(state.failures > 0);
  }
  for (int more = 0; more < 400; ++more) {
    ++last;
    auto appended = append(journal, last);
    // A writer that is faster than its keeper has to try again, as the agent does at each interval.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!appended && std::chrono::steady_clock::now() < deadline) {
      (*keeper)->poke();
      std::this_thread::yield();
      appended = append(journal, last);
    }
    REQUIRE(appended.has_value());
    (*keeper)->poke();
  }
  keeper->reset();
  const auto after = journal.state();
  CHECK(after.removed.records == after.first - 1);
  CHECK(after.next == last * 4 + 1);
  CHECK((after.first - 1) % 4 == 0);
  check_windows(disk, (after.first - 1) / 4 + 1, last);
}

TEST_CASE("a read-only file system refuses writers and serves readers, until it can be written again",
          "[crash]") {
  const SmallDisk disk;
  journal::CursorStore cursors(journal::posix_file_system(), disk.journal());
  {
    auto journal = open_on(disk);
    for (std::uint64_t epoch = 1; epoch <= 30; ++epoch) REQUIRE(append(journal, epoch).has_value());
    while (journal.seal_one().value()) {
    }
    REQUIRE(cursors.save("siem", 7).has_value());
  }
  disk.set_read_only(true);
  const auto refused = journal::Journal::open({.directory = disk.journal()});
  REQUIRE(!refused.has_value());
  CHECK(refused.error().sys_errno() == EROFS);
  CHECK(refused.error().text().find("open the journal " + disk.journal()) != std::string::npos);
  check_windows(disk, 1, 30);
  CHECK(cursors.load("siem").value() == 7);
  CHECK(!cursors.save("siem", 8).has_value());
  disk.set_read_only(false);
  auto journal = open_on(disk);
  CHECK(journal.recovery().events.empty());
  REQUIRE(append(journal, 31).has_value());
  check_windows(disk, 1, 31);
  CHECK(cursors.load("siem").value() == 7);
}

}  // namespace flowtally::test
