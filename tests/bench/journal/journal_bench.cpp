// Goal: what the journal costs: to append, to seal, to read, and to look for a needle, beside what the same
// bytes cost without it.
//
// Method: a tailnet of 200 peers, windows of 10,000 flows, of which nine in ten go on in the next window with
// other counts; their records are made once, by the writer of the agent. Each round appends all of them to
// new journals, one for each policy of syncing, seals and reads; so they see the same machine. A plain file
// with the same lines and the same syncs is the least that appending can cost, a walk over them in memory the
// least of reading. Times are of the wall for what waits for the disk, of the thread for the rest.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/check.hpp"
#include "bench/journal/traffic.hpp"
#include "journal/journal.hpp"
#include "journal/names.hpp"
#include "journal/reader.hpp"
#include "query/terms.hpp"

namespace flowtally::bench {
namespace {

namespace fs = std::filesystem;
using namespace journal;

constexpr std::size_t kBytes = std::size_t{256} << 20U;
constexpr int kRounds = 8;
constexpr std::uint64_t kSegmentBytes = std::uint64_t{32} << 20U;

struct Figure {
  std::string_view name;
  std::vector<double> seconds{};
};

Journal open_new(const std::string& directory, SyncPolicy sync) {
  std::error_code error;
  fs::remove_all(directory, error);
  auto journal = Journal::open({.directory = directory,
                                .sync = sync,
                                .segment_bytes_max = kSegmentBytes,
                                .seal = {.terms_of = query::terms_of},
                                .describe = query::describe});
  FLOWTALLY_CHECK(journal.has_value());
  return std::move(*journal);
}

void append_all(Journal& journal, const std::vector<Window>& windows) {
  for (const Window& window : windows) FLOWTALLY_CHECK(journal.append(window.entries).has_value());
}

/// Bytes of lines that were given, and those of them with the needle.
std::pair<std::size_t, std::size_t> scan(const std::string& directory, ScanOptions options, bool search,
                                         ScanCounts* counts = nullptr) {
  auto reader = JournalReader::open(directory, std::move(options));
  FLOWTALLY_CHECK(reader.has_value());
  std::size_t bytes = 0;
  std::size_t found = 0;
  while (true) {
    const auto step = reader->next();
    FLOWTALLY_CHECK(step.has_value());
    if (std::holds_alternative<AtEnd>(*step)) break;
    const auto& record = std::get<Record>(*step);
    bytes += record.line.size();
    if (search && ::memmem(record.line.data(), record.line.size(), kNeedle.data(), kNeedle.size()) != nullptr)
      ++found;
  }
  if (counts != nullptr) *counts = reader->counts();
  return {bytes, found};
}

std::uint64_t bytes_of(const std::string& directory, std::string_view suffix) {
  std::uint64_t bytes = 0;
  for (const auto& file : fs::directory_iterator(directory)) {
    if (file.path().string().ends_with(suffix)) bytes += file.file_size();
  }
  return bytes;
}

void write_plainly(const std::string& path, const std::vector<Window>& windows, bool sync) {
  auto file = posix_file_system().open(path, OpenMode::kCreate);
  FLOWTALLY_CHECK(file.has_value());
  std::uint64_t offset = 0;
  for (const Window& window : windows) {
    std::string lines;
    for (const std::string& line : window.lines) lines += line;
    FLOWTALLY_CHECK(write_all(**file, offset, lines).has_value());
    if (sync) FLOWTALLY_CHECK((*file)->sync().has_value());
    offset += lines.size();
  }
}

/// Every line's end, found in memory.
void walk(const std::vector<Window>& windows) {
  std::size_t bytes = 0;
  for (const Window& window : windows) {
    for (const std::string& line : window.lines) {
      const void* const end = std::memchr(line.data(), '\n', line.size());
      bytes += static_cast<std::size_t>(static_cast<const char*>(end) - line.data());
    }
  }
  FLOWTALLY_CHECK(bytes > 0);
}

enum : std::size_t {
  kPlain,
  kNever,
  kPlainWall,
  kNeverWall,
  kIntervalWall,
  kPlainSyncedWall,
  kSyncedWall,
  kSeal,
  kWalk,
  kScanOpen,
  kScanSealed,
  kNeedleWalk,
  kNeedleFilter,
  kFigures
};

struct Results {
  std::array<Figure, kFigures> figures{{{"plain file, no sync"},
                                        {"append, never synced"},
                                        {"plain file, no sync (wall)"},
                                        {"append, never synced (wall)"},
                                        {"append, synced each second (wall)"},
                                        {"plain file, synced each window (wall)"},
                                        {"append, synced each window (wall)"},
                                        {"seal"},
                                        {"lines in memory"},
                                        {"read, open segments"},
                                        {"read, sealed"},
                                        {"needle, sealed, no filter"},
                                        {"needle, sealed, filter"}}};
  std::size_t bytes = 0;
  std::size_t windows = 0;
  std::uint64_t sealed_bytes = 0;
  std::uint64_t index_bytes = 0;
  ScanCounts counts{};

  void time(std::size_t figure, clockid_t clock, const std::function<void()>& what) {
    figures.at(figure).seconds.push_back(measure(clock, what));
  }
};

/// All full segments; the time as if the open one were among them.
void seal_all(Journal& journal, const std::string& directory, Results& results) {
  std::uint64_t raw = 0;
  std::uint64_t index = 0;
  double time = 0;
  while (true) {
    std::optional<SealedFile> done;
    time += measure(CLOCK_THREAD_CPUTIME_ID, [&] { done = journal.seal_one().value(); });
    if (!done) break;
    raw += done->trailer.raw_bytes;
    index += done->trailer.index_bytes;
  }
  results.figures[kSeal].seconds.push_back(time * static_cast<double>(results.bytes) /
                                           static_cast<double>(raw));
  results.sealed_bytes = bytes_of(directory, kSealedSuffix) * results.bytes / raw;
  results.index_bytes = index * results.bytes / raw;
}

/// Both clocks of the same work.
void time_both(Results& results, std::size_t cpu, std::size_t wall, const std::function<void()>& what) {
  results.time(wall, CLOCK_MONOTONIC, [&] { results.time(cpu, CLOCK_THREAD_CPUTIME_ID, what); });
}

/// A new journal, appended to without what opening it costs.
void append_anew(const std::string& directory, const std::vector<Window>& windows, SyncPolicy sync,
                 const std::function<void(const std::function<void()>&)>& timed) {
  Journal journal = open_new(directory, sync);
  timed([&] { append_all(journal, windows); });
}

/// In another order in each round: what was written before is still on its way to the disk, and somebody
/// pays.
void run_appends(const std::string& base, const std::vector<Window>& windows, int round, Results& results) {
  const auto wall = [&](std::size_t figure) {
    return [&results, figure](const auto& what) { results.time(figure, CLOCK_MONOTONIC, what); };
  };
  const std::array<std::function<void()>, 4> kinds = {
      [&] { time_both(results, kPlain, kPlainWall, [&] { write_plainly(base + "/it", windows, false); }); },
      [&] {
        append_anew(base + "/it", windows, SyncPolicy::kNever,
                    [&](const auto& what) { time_both(results, kNever, kNeverWall, what); });
      },
      [&] { append_anew(base + "/it", windows, SyncPolicy::kInterval, wall(kIntervalWall)); },
      [&] { wall(kPlainSyncedWall)([&] { write_plainly(base + "/it", windows, true); }); }};
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    kinds.at((kind + static_cast<std::size_t>(round)) % kinds.size())();
    std::error_code error;
    fs::remove_all(base + "/it", error);
  }
}

void run_round(const std::string& base, const std::vector<Window>& windows, int round, Results& results) {
  constexpr clockid_t kCpu = CLOCK_THREAD_CPUTIME_ID;
  const std::string synced = base + "/synced";
  run_appends(base, windows, round, results);
  Journal journal = open_new(synced, SyncPolicy::kEachBatch);
  results.time(kSyncedWall, CLOCK_MONOTONIC, [&] { append_all(journal, windows); });
  results.time(kWalk, kCpu, [&] { walk(windows); });
  results.time(kScanOpen, kCpu, [&] { FLOWTALLY_CHECK(scan(synced, {}, false).first == results.bytes); });
  seal_all(journal, synced, results);
  results.time(kScanSealed, kCpu, [&] { FLOWTALLY_CHECK(scan(synced, {}, false).first == results.bytes); });
  results.time(kNeedleWalk, kCpu, [&] { FLOWTALLY_CHECK(scan(synced, {}, true).second == 1); });
  const std::uint64_t address = query::address_term(model::Address::v4({100, 99, 77, 55}));
  const ScanOptions options{.may_match = [&](const auto& filter) { return filter.may_contain(address); }};
  results.time(kNeedleFilter, kCpu,
               [&] { FLOWTALLY_CHECK(scan(synced, options, true, &results.counts).second == 1); });
}

void print(const Results& results, bool json) {
  const auto megabytes = static_cast<double>(results.bytes) / 1e6;
  const double flows = static_cast<double>(results.windows * kFlowsPerWindow) / 1e5;
  if (json) {
    fmt::print(
        "{{\"bench\":\"journal\",\"bytes\":{},\"windows\":{},\"sealed_bytes\":{},\"index_bytes\":{},"
        "\"frames_read\":{},\"frames_passed\":{}",
        results.bytes, results.windows, results.sealed_bytes, results.index_bytes, results.counts.frames_read,
        results.counts.frames_passed);
    for (const Figure& figure : results.figures)
      fmt::print(",\"{}\":{:.4f}", figure.name, median(figure.seconds));
    fmt::print("}}\n");
    return;
  }
  fmt::print(
      "{:.0f} MB in {} windows; sealed {:.1f} times smaller, {:.1f} % of it index; median of {} rounds\n",
      megabytes, results.windows,
      static_cast<double>(results.bytes) / static_cast<double>(results.sealed_bytes),
      100.0 * static_cast<double>(results.index_bytes) / static_cast<double>(results.sealed_bytes), kRounds);
  for (const Figure& figure : results.figures) {
    const double time = median(figure.seconds);
    fmt::print("{:<40} {:>8.3f} s {:>8.0f} MB/s {:>8.2f} ms for 100,000 flows\n", figure.name, time,
               megabytes / time, 1000 * time / flows);
  }
  fmt::print("needle with filter: {} frames read, {} passed over\n", results.counts.frames_read,
             results.counts.frames_passed);
}

int run(const std::string& base, bool json) {
  Results results;
  const std::vector<Window> windows = make_windows(kBytes, results.bytes);
  results.windows = windows.size();
  for (int round = 0; round < kRounds; ++round) run_round(base, windows, round, results);
  print(results, json);
  return 0;
}

}  // namespace
}  // namespace flowtally::bench

int main(int argc, char** argv) {
  std::string directory = (std::filesystem::temp_directory_path() / "flowtally-bench-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) return 1;
  const int result = flowtally::bench::run(directory, argc > 1 && std::string_view(argv[1]) == "--json");
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  return result;
}
