// Goal: what it costs to find a needle in a day: one connection of one window, of 17,280 windows with 10,000
// flows each.
//
// Method: the traffic of tests/bench/journal, sealed as it is appended, once; then the question, round after
// round, beside one that the frames' filters cannot help with, in the last hour. Wall time and CPU time of
// the process. With a directory as second argument the journal is left there, for
// tests/bench/query/compare.sh.
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.hpp"
#include "bench/journal/traffic.hpp"
#include "journal/journal.hpp"
#include "query/query.hpp"
#include "query/terms.hpp"
#include "record/text.hpp"

namespace flowtally::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kWindowsOfDay = 24 * 3600 / 5;
constexpr int kRounds = 7;

struct Made {
  std::uint64_t windows = 0;
  std::uint64_t bytes = 0;
  std::int64_t end_ns = 0;
};

Made make_day(const std::string& directory, std::uint64_t windows) {
  auto journal = journal::Journal::open({.directory = directory,
                                         .sync = journal::SyncPolicy::kNever,
                                         .seal = {.terms_of = query::terms_of},
                                         .describe = query::describe});
  FLOWTALLY_CHECK(journal.has_value());
  Made made{.windows = windows};
  Traffic traffic;
  for (std::uint64_t epoch = 1; epoch <= windows; ++epoch) {
    const Window window = traffic.next(epoch);
    FLOWTALLY_CHECK(journal->append(window.entries).has_value());
    for (const std::string& line : window.lines) made.bytes += line.size();
    made.end_ns = window.entries.back().end_ns;
    FLOWTALLY_CHECK(journal->seal_one().has_value());
  }
  return made;
}

std::uint64_t bytes_on_disk(const std::string& directory) {
  std::uint64_t bytes = 0;
  for (const auto& file : fs::directory_iterator(directory)) {
    if (file.is_regular_file()) bytes += file.file_size();
  }
  return bytes;
}

void ask(const std::string& directory, const char* name, const query::QueryText& text, unsigned threads) {
  const auto query = query::parse_query(text, 0);
  FLOWTALLY_CHECK(query.has_value());
  std::vector<double> wall;
  std::vector<double> cpu;
  query::Summary summary;
  for (int round = 0; round < kRounds; ++round) {
    wall.push_back(measure(CLOCK_MONOTONIC, [&] {
      cpu.push_back(measure(CLOCK_PROCESS_CPUTIME_ID, [&] {
        auto done =
            query::run_query(*query, directory, {.threads = threads}, [](const query::Row&) { return true; });
        FLOWTALLY_CHECK(done.has_value() && done->missing.all() == 0);
        summary = *done;
      }));
    }));
  }
  fmt::print("{:<36} {:>7.0f} ms, {:>7.0f} ms of CPU; {} of {} frames read; {} found\n", name,
             median(wall) * 1e3, median(cpu) * 1e3, summary.frames_read,
             summary.frames_read + summary.frames_passed, summary.matched);
}

int run(std::uint64_t windows, const std::string& directory) {
  const Made made = make_day(directory, windows);
  fmt::print("{} windows of {} flows, {:.1f} GB of lines, {:.1f} GB on disk\n", made.windows, kFlowsPerWindow,
             static_cast<double>(made.bytes) / 1e9, static_cast<double>(bytes_on_disk(directory)) / 1e9);
  const std::string last_hour = record::time_text(made.end_ns - 3'600'000'000'000);
  ask(directory, "needle, a connection", {.filter = "host 100.99.77.55"}, 1);
  ask(directory, "needle, its sums, 2 threads", {.filter = "host 100.99.77.55", .group_by = "src"}, 2);
  ask(directory, "nothing (an address of nobody)", {.filter = "host 203.0.113.7"}, 1);
  ask(directory, "last hour, top 10 by dst, 2 threads",
      {.start = last_hour, .group_by = "dst", .limit = "10"}, 2);
  rusage usage{};
  static_cast<void>(::getrusage(RUSAGE_SELF, &usage));
  fmt::print("resident at most: {} MiB\n", usage.ru_maxrss >> 10U);
  return 0;
}

}  // namespace
}  // namespace flowtally::bench

int main(int argc, char** argv) {
  using namespace flowtally::bench;
  std::uint64_t windows = kWindowsOfDay;
  if (argc > 1) {
    const std::string_view text = argv[1];
    std::from_chars(text.data(), text.data() + text.size(), windows);
  }
  if (argc > 2) return run(windows, argv[2]);
  const auto directory = fs::temp_directory_path() / fmt::format("flowtally-day-bench-{}", ::getpid());
  const int code = run(windows, directory.string());
  fs::remove_all(directory);
  return code;
}
