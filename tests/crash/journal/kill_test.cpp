// Goal: on a real file system, a writer that is killed at any moment leaves a journal in which everything
// that it acknowledged is there once, and that the next writer continues.
//
// Method: a child process appends windows, seals and removes, and writes the epoch of each acknowledged batch
// into a pipe. The parent kills it with SIGKILL after a random number of acknowledgements, opens the journal
// and compares; then the next child goes on from last_key(). A reader follows all the time.
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"
#include "unit/journal/records.hpp"

namespace flowtally::test {
namespace {

namespace fs = std::filesystem;

constexpr int kKills = 40;

/// A directory of its own, gone with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = (fs::temp_directory_path() / "flowtally-journal-XXXXXX").string();
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

journal::JournalOptions options_of(const std::string& directory) {
  return {.directory = directory, .segment_bytes_max = 65'536, .describe = describe};
}

/// Never returns. Exit code 3: something failed.
[[noreturn]] void write_until_killed(const std::string& directory, int pipe) {
  auto journal = journal::Journal::open(options_of(directory));
  if (!journal) ::_exit(3);
  std::jthread background([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (!journal->seal_one()) ::_exit(3);
      std::this_thread::yield();
    }
  });
  std::uint64_t epoch = journal->last_key() ? journal->last_key()->epoch : 0;
  while (true) {
    ++epoch;
    const Batch batch(epoch, static_cast<std::uint32_t>(1 + epoch % 4), 700);
    if (!journal->append(batch.entries())) ::_exit(3);
    if (::write(pipe, &epoch, sizeof(epoch)) != sizeof(epoch)) ::_exit(3);
  }
}

struct Child {
  pid_t pid = -1;
  base::UniqueFd acknowledged;
};

Child start(const std::string& directory) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  base::UniqueFd reading(ends[0]);
  const base::UniqueFd writing(ends[1]);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    reading.reset();
    write_until_killed(directory, writing.get());
  }
  return {.pid = pid, .acknowledged = std::move(reading)};
}

/// Waits for so many acknowledgements, kills, and gives the last epoch that was acknowledged.
std::uint64_t kill_after(Child child, std::uint64_t count) {
  std::uint64_t epoch = 0;
  std::uint64_t last = 0;
  std::uint64_t seen = 0;
  while (::read(child.acknowledged.get(), &epoch, sizeof(epoch)) == sizeof(epoch)) {
    last = epoch;
    if (++seen == count) REQUIRE(::kill(child.pid, SIGKILL) == 0);
  }
  int status = 0;
  REQUIRE(::waitpid(child.pid, &status, 0) == child.pid);
  REQUIRE(WIFSIGNALED(status));
  return last;
}

/// Every record up to the end, each window whole; the last epoch.
std::uint64_t check_follow(journal::JournalReader& reader, std::uint64_t epoch, std::uint32_t& part) {
  const ReadAll all = read_all(reader);
  REQUIRE(all.gaps.empty());
  for (const ReadRecord& record : all.records) {
    if (part == epoch % 4 + 1 || epoch == 0) {
      ++epoch;
      part = 0;
    }
    ++part;
    REQUIRE(number_in(record.line, "epoch") == epoch);
    REQUIRE(number_in(record.line, "part") == part);
  }
  REQUIRE((epoch == 0 || part == epoch % 4 + 1));
  return epoch;
}

}  // namespace

TEST_CASE("a writer that is killed loses nothing that it acknowledged and doubles nothing", "[crash]") {
  const TemporaryDirectory directory;
  std::mt19937_64 random(20261123);  // NOLINT(cert-msc*): the same kills on every run, as far as they can be
  auto follower = journal::JournalReader::open(directory.path());
  REQUIRE(follower.has_value());
  std::uint64_t epoch = 0;
  std::uint32_t part = 0;
  for (int round = 0; round < kKills; ++round) {
    const std::uint64_t acknowledged = kill_after(start(directory.path()), 1 + random() % 60);
    INFO("round " << round << ", acknowledged " << acknowledged);
    epoch = check_follow(*follower, epoch, part);
    // What the writer had published before it was killed is all that a reader sees until the next one comes.
    REQUIRE(epoch >= acknowledged);
    const auto journal = journal::Journal::open(options_of(directory.path()));
    REQUIRE(journal.has_value());
    REQUIRE(journal->last_key().has_value());
    CHECK((journal->last_key()->epoch == acknowledged || journal->last_key()->epoch == acknowledged + 1));
    epoch = check_follow(*follower, epoch, part);
    CHECK(epoch == journal->last_key()->epoch);
    CHECK(follower->position() == journal->state().next);
  }
  CHECK(epoch > kKills);
}

TEST_CASE("a reader that follows in another process is woken by what is appended", "[crash]") {
  const TemporaryDirectory directory;
  auto reader = journal::JournalReader::open(directory.path());
  REQUIRE(reader.has_value());
  Child child = start(directory.path());
  std::uint64_t epoch = 0;
  std::uint32_t part = 0;
  while (epoch < 200) {
    REQUIRE(reader->wait(std::chrono::seconds(20)));
    epoch = check_follow(*reader, epoch, part);
  }
  static_cast<void>(kill_after(std::move(child), 1));
}

}  // namespace flowtally::test
