// Goal: what it costs to find a needle in a day: one connection of one window, of 17,280 windows with 10,000
// flows each; and what questions cost that have to read an hour of it.
//
// Method: the traffic of tests/bench/journal, sealed as it is appended, once; then each question, round after
// round. Wall time and CPU time of the process. A directory as second argument is left there, for
// tests/bench/query/compare.sh; 0 windows ask the journal that it has.
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.hpp"
#include "bench/journal/traffic.hpp"
#include "journal/journal.hpp"
#include "journal/reader.hpp"
#include "query/query.hpp"
#include "query/terms.hpp"
#include "record/text.hpp"

namespace flowtally::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kWindowsOfDay = 24 * 3600 / 5;
constexpr int kRounds = 7;

void make_day(const std::string& directory, std::uint64_t windows) {
  auto journal = journal::Journal::open({.directory = directory,
                                         .sync = journal::SyncPolicy::kNever,
                                         .seal = {.terms_of = query::terms_of},
                                         .describe = query::describe});
  FLOWTALLY_CHECK(journal.has_value());
  Traffic traffic;
  std::uint64_t bytes = 0;
  for (std::uint64_t epoch = 1; epoch <= windows; ++epoch) {
    const Window window = traffic.next(epoch);
    FLOWTALLY_CHECK(journal->append(window.entries).has_value());
    for (const std::string& line : window.lines) bytes += line.size();
    FLOWTALLY_CHECK(journal->seal_one().has_value());
  }
  fmt::print("{} windows of {} flows, {:.2f} GB of lines, {:.2f} GB on disk\n", windows, kFlowsPerWindow,
             static_cast<double>(bytes) / 1e9, static_cast<double>(journal->state().bytes) / 1e9);
}

/// Of the last record.
std::int64_t end_of(const std::string& directory) {
  auto reader = journal::JournalReader::open(directory);
  FLOWTALLY_CHECK(reader.has_value() && reader->seek_end().has_value());
  FLOWTALLY_CHECK(reader->seek(reader->position() - 1).has_value());
  return std::get<journal::Record>(reader->next().value()).end_ns;
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
  fmt::print(
      "{:<42} {:>6.0f} ms, {:>6.0f} ms of CPU, {:>5.2f} GB of lines per s of it; {} of {} frames; {} found\n",
      name, median(wall) * 1e3, median(cpu) * 1e3, static_cast<double>(summary.bytes) / median(cpu) / 1e9,
      summary.frames_read, summary.frames_read + summary.frames_passed, summary.matched);
}

int run(std::uint64_t windows, const std::string& directory) {
  if (windows > 0) make_day(directory, windows);
  const auto since = [end = end_of(directory)](std::int64_t seconds) {
    return record::time_text(end - seconds * 1'000'000'000);
  };
  const std::string hour = since(3600);
  const std::string minutes = since(180);
  const std::string filter =
      "tcp and dst 100.64.0.0/10 and port 443 and bytes > 100M";  // all look, none match
  ask(directory, "needle, a connection", {.filter = "host 100.99.77.55"}, 1);
  ask(directory, "needle, its sums, 2 threads", {.filter = "host 100.99.77.55", .group_by = "src"}, 2);
  ask(directory, "an address of nobody", {.filter = "host 203.0.113.7"}, 1);
  ask(directory, "3 minutes, open segment, four conditions", {.filter = filter, .start = minutes}, 1);
  ask(directory, "3 minutes, open segment, top 10 by dst",
      {.start = minutes, .group_by = "dst", .limit = "10"}, 1);
  ask(directory, "hour, four conditions", {.filter = filter, .start = hour}, 1);
  ask(directory, "hour, top 10 by dst", {.start = hour, .group_by = "dst", .limit = "10"}, 1);
  ask(directory, "hour, top 10 by dst, 2 threads", {.start = hour, .group_by = "dst", .limit = "10"}, 2);
  ask(directory, "hour, top 10 by peer", {.start = hour, .group_by = "peer", .limit = "10"}, 1);
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
