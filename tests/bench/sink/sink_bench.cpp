// Goal: what it costs to deliver, for each kind of sink, beside reading the journal and making the documents
// alone.
//
// Method: the traffic of tests/bench/journal, a million flows, streamed to a receiver in a process of its own
// on loopback that reads what it is sent and says yes. CPU time is that of this process, wall time that of
// both on their cores. Each kind in turn, round after round, medians. Kafka where FLOWTALLY_BENCH_KAFKA names
// a broker.
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.hpp"
#include "bench/journal/traffic.hpp"
#include "journal/cursor_store.hpp"
#include "journal/journal.hpp"
#include "query/terms.hpp"
#include "sink/batch_maker.hpp"
#include "sink/stream.hpp"
#include "support/http_receiver.hpp"

namespace flowtally::bench {
namespace {

namespace fs = std::filesystem;
using model::ItemFormat;

constexpr std::uint64_t kWindows = 100;
constexpr int kRounds = 3;

double cpu_seconds() {
  rusage usage{};
  FLOWTALLY_CHECK(::getrusage(RUSAGE_SELF, &usage) == 0);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

/// What a receiver says to a body: for the bulk API as many items as there are lines of documents.
test::HttpSaid yes(const test::HttpHeard& heard) {
  if (heard.method == "GET") return {.body = R"({"version":{"number":"8.11.0"}})"};
  if (heard.target.find("_bulk") == std::string::npos) return {.body = R"({"text":"Success","code":0})"};
  const auto lines = static_cast<std::size_t>(std::ranges::count(heard.body, '\n')) / 2;
  std::string items;
  for (std::size_t at = 0; at < lines; ++at)
    items += at == 0 ? R"({"create":{"status":201}})" : R"(,{"create":{"status":201}})";
  return {.body = R"({"took":1,"errors":false,"items":[)" + items + "]}"};
}

/// In a process of its own until this one ends.
std::string start_receiver() {
  std::array<int, 2> pipe{};
  FLOWTALLY_CHECK(::pipe(pipe.data()) == 0);
  if (::fork() == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const test::HttpReceiver receiver(yes);
    const std::string url = receiver.url();
    FLOWTALLY_CHECK(::write(pipe[1], url.data(), url.size()) == static_cast<ssize_t>(url.size()));
    for (;;) ::pause();
  }
  std::array<char, 64> url{};
  const ssize_t size = ::read(pipe[0], url.data(), url.size());
  FLOWTALLY_CHECK(size > 0);
  return {url.data(), static_cast<std::size_t>(size)};
}

struct Kind {
  std::string name;
  model::SinkSettings settings;
};

std::vector<Kind> kinds(const std::string& url, const std::string& folder) {
  const auto settings = [](ItemFormat format, model::Compression how, model::ReceiverSettings receiver) {
    return model::SinkSettings{
        .name = "bench", .format = format, .compression = how, .receiver = std::move(receiver)};
  };
  using model::Compression;
  std::vector<Kind> all = {
      {"elastic, ecs", settings(ItemFormat::kEcs, Compression::kNone, model::ElasticSettings{.url = url})},
      {"elastic, ecs, gzip",
       settings(ItemFormat::kEcs, Compression::kGzip, model::ElasticSettings{.url = url})},
      {"splunk, flattened, gzip", settings(ItemFormat::kFlattened, Compression::kGzip,
                                           model::SplunkSettings{.url = url, .token = model::Secret("t")})},
      {"splunk, record, gzip", settings(ItemFormat::kRecord, Compression::kGzip,
                                        model::SplunkSettings{.url = url, .token = model::Secret("t")})},
      {"http, flattened",
       settings(ItemFormat::kFlattened, Compression::kNone, model::HttpSettings{.url = url})},
      {"otlp, otel, gzip", settings(ItemFormat::kOtel, Compression::kGzip, model::OtlpSettings{.url = url})},
      {"file, flattened", settings(ItemFormat::kFlattened, Compression::kNone,
                                   model::FileSettings{.path = folder + "/copy.ndjson", .rotate_files = 1})}};
  if (const char* const brokers = std::getenv("FLOWTALLY_BENCH_KAFKA"); brokers != nullptr) {
    all.push_back({"kafka, flattened, zstd",
                   settings(ItemFormat::kFlattened, Compression::kZstd,
                            model::KafkaSettings{.brokers = brokers, .topic = "flowtally-bench"})});
  }
  return all;
}

struct Took {
  double wall = 0;
  double cpu = 0;
  double bytes = 0;
};

Took deliver(const Kind& kind, const std::string& folder, std::uint64_t end) {
  journal::CursorStore cursors(journal::posix_file_system(), folder + "/network");
  static_cast<void>(cursors.remove(kind.settings.name));
  auto receiver = sink::make_receiver(kind.settings, model::LogType::kNetwork);
  if (!receiver) {
    fmt::print(stderr, "{}: {}\n", kind.name, receiver.error().text());
    std::exit(1);
  }
  const double cpu = cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();
  auto stream = sink::Stream::start(
      {.settings = kind.settings, .journal_directory = folder + "/network", .state_dir = folder},
      std::move(*receiver));
  FLOWTALLY_CHECK(stream.has_value());
  while ((*stream)->status().next < end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  return {wall.count(), cpu_seconds() - cpu, static_cast<double>((*stream)->status().bytes_sent)};
}

/// Reading and making items, and nothing more.
Took make_only(ItemFormat format, const std::string& folder) {
  auto reader = journal::JournalReader::open(folder + "/network");
  auto maker = sink::BatchMaker::make({.name = "bench", .format = format}, model::LogType::kNetwork);
  FLOWTALLY_CHECK(reader.has_value() && maker.has_value());
  const double cpu = cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();
  sink::Batch batch;
  double bytes = 0;
  for (;;) {
    auto step = reader->next().value();
    if (std::holds_alternative<journal::AtEnd>(step)) break;
    FLOWTALLY_CHECK(maker->add(std::get<journal::Record>(step), batch));
    bytes += static_cast<double>(batch.text.size());
    batch.text.clear();
    batch.items.clear();
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  return {wall.count(), cpu_seconds() - cpu, bytes};
}

int run(const std::string& folder) {
  const std::string url = start_receiver();
  auto opened = journal::Journal::open({.directory = folder + "/network",
                                        .sync = journal::SyncPolicy::kNever,
                                        .seal = {.terms_of = query::terms_of},
                                        .describe = query::describe});
  FLOWTALLY_CHECK(opened.has_value());
  Traffic traffic;
  for (std::uint64_t window = 1; window <= kWindows; ++window)
    FLOWTALLY_CHECK(opened->append(traffic.next(window).entries).has_value());
  const std::uint64_t end = opened->state().next;
  constexpr double kFlows = static_cast<double>(kWindows * kFlowsPerWindow);

  std::vector<std::pair<std::string, std::function<Took()>>> rows;
  for (const auto& [name, format] : {std::pair{"documents alone, flattened", ItemFormat::kFlattened},
                                     std::pair{"documents alone, ecs", ItemFormat::kEcs},
                                     std::pair{"documents alone, ocsf", ItemFormat::kOcsf}}) {
    rows.emplace_back(name, [format, &folder] { return make_only(format, folder); });
  }
  const std::vector<Kind> all = kinds(url, folder);
  for (const Kind& kind : all) rows.emplace_back(kind.name, [&] { return deliver(kind, folder, end); });
  std::vector<std::vector<double>> wall(rows.size());
  std::vector<std::vector<double>> cpu(rows.size());
  std::vector<double> bytes(rows.size());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const Took took = rows[row].second();
      wall[row].push_back(took.wall);
      cpu[row].push_back(took.cpu);
      bytes[row] = took.bytes;
    }
  }
  fmt::print("{} flows in {} records\n", kFlows, end - 1);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    fmt::print("{:<28} {:>9.0f} flows/s of CPU {:>9.0f} flows/s {:>6.0f} bytes a flow as sent\n",
               rows[row].first, kFlows / median(cpu[row]), kFlows / median(wall[row]), bytes[row] / kFlows);
  }
  return 0;
}

}  // namespace
}  // namespace flowtally::bench

int main() {
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("flowtally-sink-bench-{}", ::getpid());
  const int code = flowtally::bench::run(folder.string());
  std::filesystem::remove_all(folder);
  return code;
}
