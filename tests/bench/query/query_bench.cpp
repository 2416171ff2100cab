// Goal: what questions cost over a journal of realistic records, open and sealed, beside reading it alone.
//
// Method: the traffic of tests/bench/journal, as much as FLOWTALLY_BENCH_MB says (1024); each round asks the
// same questions in turn, so they see the same machine. Wall time: with one thread it is that of one core
// where nobody else computes. With a directory as argument the journal is left there; with --json each
// row is an object.
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "base/check.hpp"
#include "bench/journal/traffic.hpp"
#include "journal/journal.hpp"
#include "journal/reader.hpp"
#include "query/query.hpp"
#include "query/terms.hpp"

namespace flowtally::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kRounds = 5;

struct Question {
  const char* name;
  query::QueryText text;
  unsigned threads;
};

std::vector<Question> questions() {
  return {{"connections, none matches (bytes > 1T)", {.filter = "bytes > 1T"}, 1},
          {"needle: host 100.99.77.55", {.filter = "host 100.99.77.55"}, 1},
          {"needle, top 10 by src, 2 threads", {.filter = "host 100.99.77.55", .group_by = "src"}, 2},
          {"port 443, top 10 by dst", {.filter = "port 443", .group_by = "dst", .limit = "10"}, 1},
          {"top 10 by dst", {.group_by = "dst", .limit = "10"}, 1},
          {"top 10 by dst, 2 threads", {.group_by = "dst", .limit = "10"}, 2},
          {"top 10 by peer (names)", {.group_by = "peer", .limit = "10"}, 1},
          {"top 10 by peer, 2 threads", {.group_by = "peer", .limit = "10"}, 2}};
}

double median_of(const std::function<void()>& run) {
  std::vector<double> seconds;
  for (int round = 0; round < kRounds; ++round) seconds.push_back(measure(CLOCK_MONOTONIC, run));
  return median(std::move(seconds));
}

double read_alone(const std::string& directory) {
  return median_of([&] {
    auto reader = journal::JournalReader::open(directory);
    FLOWTALLY_CHECK(reader.has_value());
    while (!std::holds_alternative<journal::AtEnd>(reader->next().value())) continue;
  });
}

void ask(const std::string& directory, std::size_t bytes, const char* how, bool json) {
  const double alone = read_alone(directory);
  const auto row = [&](const char* name, double seconds, const query::Summary& summary) {
    if (json) {
      fmt::print(
          "{{\"bench\":\"query\",\"segments\":\"{}\",\"question\":\"{}\",\"ms\":{:.1f},\"gb_per_s\":{:.3f},"
          "\"to_reading\":{:.3f},\"frames_read\":{},\"frames_passed\":{},\"rows\":{}}}\n",
          how, name, seconds * 1e3, static_cast<double>(bytes) / seconds / 1e9, seconds / alone,
          summary.frames_read, summary.frames_passed, summary.rows);
      return;
    }
    fmt::print("{:<8} {:<42} {:>8.1f} ms {:>7.2f} GB/s {:>6.2f} x reading  {} of {} frames, {} rows\n", how,
               name, seconds * 1e3, static_cast<double>(bytes) / seconds / 1e9, seconds / alone,
               summary.frames_read, summary.frames_read + summary.frames_passed, summary.rows);
  };
  row("reading alone", alone, {});
  for (const Question& question : questions()) {
    const auto query = query::parse_query(question.text, 0);
    FLOWTALLY_CHECK(query.has_value());
    query::Summary summary;
    const double seconds = median_of([&] {
      auto done = query::run_query(*query, directory, {.threads = question.threads},
                                   [](const query::Row&) { return true; });
      FLOWTALLY_CHECK(done.has_value());
      summary = *done;
    });
    row(question.name, seconds, summary);
  }
}

int run(const std::string& directory, bool json) {
  std::size_t megabytes = 1024;
  if (const char* const wanted = std::getenv("FLOWTALLY_BENCH_MB"); wanted != nullptr) {
    std::from_chars(wanted, wanted + std::strlen(wanted), megabytes);
  }
  auto opened = journal::Journal::open({.directory = directory,
                                        .sync = journal::SyncPolicy::kNever,
                                        .seal = {.terms_of = query::terms_of},
                                        .describe = query::describe});
  FLOWTALLY_CHECK(opened.has_value());
  Traffic traffic;
  std::size_t bytes = 0;
  std::uint64_t windows = 0;
  while (bytes < megabytes << 20U) {
    const Window window = traffic.next(++windows);
    FLOWTALLY_CHECK(opened->append(window.entries).has_value());
    for (const std::string& line : window.lines) bytes += line.size();
  }
  if (!json) fmt::print("{} windows of {} flows, {} MB\n", windows, kFlowsPerWindow, bytes >> 20U);
  ask(directory, bytes, "open", json);
  while (opened->seal_one().value()) continue;
  std::uint64_t stored = 0;
  for (const auto& file : fs::directory_iterator(directory))
    stored += file.is_regular_file() ? file.file_size() : 0;
  if (!json) fmt::print("sealed but for the last segment: {} MB on disk\n", stored >> 20U);
  ask(directory, bytes, "sealed", json);
  return 0;
}

}  // namespace
}  // namespace flowtally::bench

int main(int argc, char** argv) {
  const bool json = argc > 1 && std::string_view(argv[1]) == "--json";
  if (argc == 2 && !json) return flowtally::bench::run(argv[1], false);
  const auto directory =
      std::filesystem::temp_directory_path() / fmt::format("flowtally-query-bench-{}", ::getpid());
  const int code = flowtally::bench::run(directory.string(), json);
  std::filesystem::remove_all(directory);
  return code;
}
