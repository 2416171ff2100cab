// Goal: what it costs to deliver, for each kind of sink, beside reading the journal and making the documents
// alone, and beside rsyslog forwarding the same lines out of a file.
//
// Method: the traffic of tests/bench/journal, a million flows, streamed to a receiver in a process of its own
// on loopback that reads what it is sent and says yes. CPU time is that of this process, wall time that of
// both on their cores. Each kind in turn, round after round, medians. Kafka where FLOWTALLY_BENCH_KAFKA names
// a broker; rsyslog where FLOWTALLY_BENCH_RSYSLOG names a program that is started with the file to be read,
// the port to send to and a directory of its own. rsyslog reads lines that are documents already, and sends
// them as they are.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/sink/local.hpp"
#include "journal/cursor_store.hpp"
#include "sink/batch_maker.hpp"
#include "sink/stream.hpp"

namespace flowtally::bench {
namespace {

namespace fs = std::filesystem;
using model::Compression;
using model::ItemFormat;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kWindows = 100;
constexpr double kFlows = static_cast<double>(kWindows * kFlowsPerWindow);
constexpr int kRounds = 3;

struct Kind {
  std::string name;
  model::SinkSettings settings;
};

struct Took {
  double wall = 0;
  double cpu = 0;
  double bytes = 0;
};

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::vector<Kind> kinds(const std::string& url, std::uint16_t line_port, const std::string& folder) {
  const auto settings = [](ItemFormat format, Compression how, model::ReceiverSettings receiver) {
    return model::SinkSettings{
        .name = "bench", .format = format, .compression = how, .receiver = std::move(receiver)};
  };
  const model::Secret token("t");
  std::vector<Kind> all = {
      {"elastic, ecs", settings(ItemFormat::kEcs, Compression::kNone, model::ElasticSettings{.url = url})},
      {"elastic, ecs, gzip",
       settings(ItemFormat::kEcs, Compression::kGzip, model::ElasticSettings{.url = url})},
      {"splunk, flattened, gzip", settings(ItemFormat::kFlattened, Compression::kGzip,
                                           model::SplunkSettings{.url = url, .token = token})},
      {"splunk, record, gzip",
       settings(ItemFormat::kRecord, Compression::kGzip, model::SplunkSettings{.url = url, .token = token})},
      {"http, flattened",
       settings(ItemFormat::kFlattened, Compression::kNone, model::HttpSettings{.url = url})},
      {"http, flattened, zstd",
       settings(ItemFormat::kFlattened, Compression::kZstd, model::HttpSettings{.url = url})},
      {"otlp, otel, gzip", settings(ItemFormat::kOtel, Compression::kGzip, model::OtlpSettings{.url = url})},
      {"loki, flattened, gzip",
       settings(ItemFormat::kFlattened, Compression::kGzip, model::LokiSettings{.url = url})},
      {"s3, record, gzip", settings(ItemFormat::kRecord, Compression::kGzip,
                                    model::S3Settings{.endpoint = url,
                                                      .bucket = "bench",
                                                      .access_key = "k",
                                                      .secret_key = token,
                                                      .object_age = std::chrono::milliseconds(1000)})},
      {"file, flattened", settings(ItemFormat::kFlattened, Compression::kNone,
                                   model::FileSettings{.path = folder + "/copy.ndjson",
                                                       .rotate_bytes = std::uint64_t{8} << 30U,
                                                       .rotate_files = 1})},
      {"syslog, flattened", settings(ItemFormat::kFlattened, Compression::kNone,
                                     model::SyslogSettings{.address = fmt::format("127.0.0.1:{}", line_port),
                                                           .octet_counting = false})}};
  if (const char* const brokers = std::getenv("FLOWTALLY_BENCH_KAFKA"); brokers != nullptr) {
    all.push_back({"kafka, flattened, zstd",
                   settings(ItemFormat::kFlattened, Compression::kZstd,
                            model::KafkaSettings{.brokers = brokers, .topic = "flowtally-bench"})});
    all.push_back({"kafka, record, zstd",
                   settings(ItemFormat::kRecord, Compression::kZstd,
                            model::KafkaSettings{.brokers = brokers, .topic = "flowtally-bench"})});
  }
  return all;
}

Took deliver(const Kind& kind, const std::string& folder, std::uint64_t end) {
  journal::CursorStore cursors(journal::posix_file_system(), folder + "/network");
  static_cast<void>(cursors.remove(kind.settings.name));
  if (const auto* const file = std::get_if<model::FileSettings>(&kind.settings.receiver))
    fs::remove(file->path);
  auto receiver = sink::make_receiver(kind.settings, model::LogType::kNetwork);
  if (!receiver) {
    fmt::print(stderr, "{}: {}\n", kind.name, receiver.error().text());
    std::exit(1);
  }
  const double cpu = process_cpu_seconds();
  const auto begin = Clock::now();
  auto stream = sink::Stream::start(
      {.settings = kind.settings, .journal_directory = folder + "/network", .state_dir = folder},
      std::move(*receiver));
  FLOWTALLY_CHECK(stream.has_value());
  while ((*stream)->status().next < end) pause();
  const auto status = (*stream)->status();
  FLOWTALLY_CHECK(status.refused_items == 0 && status.lost_records == 0);
  return {since(begin), process_cpu_seconds() - cpu, static_cast<double>(status.bytes_sent)};
}

/// Reading and making items, and nothing more.
Took make_only(ItemFormat format, const std::string& folder) {
  auto reader = journal::JournalReader::open(folder + "/network");
  auto maker = sink::BatchMaker::make({.name = "bench", .format = format}, model::LogType::kNetwork);
  FLOWTALLY_CHECK(reader.has_value() && maker.has_value());
  const double cpu = process_cpu_seconds();
  const auto begin = Clock::now();
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
  return {since(begin), process_cpu_seconds() - cpu, bytes};
}

/// rsyslog reads the file that the file sink has written, and sends its lines over TCP.
Took forward(const std::string& program, LineCounter& counter, const std::string& folder) {
  const std::string file = folder + "/copy.ndjson";
  const std::string own = folder + "/rsyslog";
  fs::remove_all(own);
  fs::create_directory(own);
  const std::string port = std::to_string(counter.port());
  counter.clear();
  const auto begin = Clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(program.c_str(), program.c_str(), file.c_str(), port.c_str(), own.c_str(), nullptr);
    ::_exit(127);
  }
  while (counter.lines() < static_cast<std::uint64_t>(kFlows)) {
    FLOWTALLY_CHECK(::waitpid(child, nullptr, WNOHANG) == 0);
    pause();
  }
  const double wall = since(begin);
  ::kill(child, SIGKILL);
  rusage usage{};
  FLOWTALLY_CHECK(::wait4(child, nullptr, 0, &usage) == child);
  return {wall, seconds_of(usage), static_cast<double>(fs::file_size(file))};
}

int run(const std::string& folder, bool json) {
  const std::string url = start_http_receiver();
  LineCounter counter;
  auto journal = open_journal(folder + "/network");
  const std::uint64_t end = fill(journal, kWindows);

  std::vector<std::pair<std::string, std::function<Took()>>> rows;
  for (const auto& [name, format] : {std::pair{"documents alone, flattened", ItemFormat::kFlattened},
                                     std::pair{"documents alone, ecs", ItemFormat::kEcs},
                                     std::pair{"documents alone, ocsf", ItemFormat::kOcsf},
                                     std::pair{"documents alone, otel", ItemFormat::kOtel},
                                     std::pair{"documents alone, cim", ItemFormat::kCim}}) {
    rows.emplace_back(name, [format, &folder] { return make_only(format, folder); });
  }
  const std::vector<Kind> all = kinds(url, counter.port(), folder);
  for (const Kind& kind : all) rows.emplace_back(kind.name, [&] { return deliver(kind, folder, end); });
  if (const char* const program = std::getenv("FLOWTALLY_BENCH_RSYSLOG"); program != nullptr)
    rows.emplace_back("rsyslog, file to TCP", [&] { return forward(program, counter, folder); });

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
  if (!json) fmt::print("{} flows in {} records; median of {} rounds\n", kFlows, end - 1, kRounds);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const double of_cpu = kFlows / median(cpu[row]);
    const double of_wall = kFlows / median(wall[row]);
    if (json) {
      fmt::print(R"({{"bench":"sink","kind":"{}","flows_per_cpu_s":{:.0f},"flows_per_s":{:.0f},)"
                 R"("bytes_per_flow":{:.1f}}})"
                 "\n",
                 rows[row].first, of_cpu, of_wall, bytes[row] / kFlows);
    } else {
      fmt::print("{:<28} {:>9.0f} flows/s of CPU {:>9.0f} flows/s {:>6.0f} bytes a flow as sent\n",
                 rows[row].first, of_cpu, of_wall, bytes[row] / kFlows);
    }
  }
  return 0;
}

}  // namespace
}  // namespace flowtally::bench

int main(int argc, char** argv) {
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("flowtally-sink-bench-{}", ::getpid());
  const int code = flowtally::bench::run(folder.string(), argc > 1 && std::string_view(argv[1]) == "--json");
  std::filesystem::remove_all(folder);
  return code;
}
