// Goal: how long a window is on its way to a receiver that is well; what ten sinks cost of memory of which
// five are dead; and how soon ten million flows are delivered that have waited for a receiver.
//
// Method: a process of its own for each question, so that its peak of resident memory is that of the streams
// alone; the journal was written by another. Receivers on loopback, as in sink_bench.
//   outage_bench [--json]
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.hpp"
#include "bench/sink/local.hpp"
#include "sink/streams.hpp"

namespace flowtally::bench {
namespace {

namespace fs = std::filesystem;
using model::Compression;
using model::ItemFormat;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kTenWindows = 100;       // a million flows
constexpr std::uint64_t kCatchUpWindows = 1000;  // ten million
constexpr int kDelays = 200;
constexpr std::chrono::milliseconds kDelayInterval(150);

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// MiB; the most that was resident.
double peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

model::SinkSettings sink_of(std::string name, ItemFormat format, model::ReceiverSettings receiver) {
  return {.name = std::move(name),
          .format = format,
          .compression = Compression::kGzip,
          .receiver = std::move(receiver)};
}

sink::StreamsOptions options_of(const std::string& folder) {
  return {.state_dir = folder, .journal = [folder](model::LogType type) {
            return type == model::LogType::kNetwork ? folder + "/network" : std::string();
          }};
}

/// True: everything before `end` is delivered by all that are well; they are named "live…".
bool done(const sink::Streams& streams, std::uint64_t end) {
  return std::ranges::all_of(streams.status(), [end](const model::SinkStatus& status) {
    return !status.sink.starts_with("live") || status.next >= end;
  });
}

void wait_for(const sink::Streams& streams, std::uint64_t end) {
  while (!done(streams, end)) pause();
}

void print_delay(const std::string& folder, bool json) {
  const std::string url = start_http_receiver();
  auto journal = open_journal(folder + "/network");
  sink::Streams streams(options_of(folder));
  streams.apply({sink_of("live", ItemFormat::kEcs, model::ElasticSettings{.url = url})});
  Traffic traffic;
  std::vector<double> delays;
  for (int at = 0; at < kDelays; ++at) {
    const Window window = traffic.next(static_cast<std::uint64_t>(at) + 1);
    const auto begin = Clock::now();
    FLOWTALLY_CHECK(journal.append(window.entries).has_value());
    const std::uint64_t end = journal.state().next;
    while (!done(streams, end)) pause();
    delays.push_back(1000 * since(begin));
    pause(kDelayInterval);
  }
  std::ranges::sort(delays);
  const auto at = [&](double share) { return delays[static_cast<std::size_t>(share * (kDelays - 1))]; };
  if (json) {
    fmt::print(R"({{"bench":"outage","what":"delay","p50_ms":{:.1f},"p99_ms":{:.1f}}})"
               "\n",
               at(0.5), at(0.99));
  } else {
    fmt::print(
        "a window of {} flows, from its append until it is acknowledged: p50 {:.0f} ms, p99 {:.0f} ms\n",
        kFlowsPerWindow, at(0.5), at(0.99));
  }
}

void print_ten(const std::string& folder, bool json) {
  const std::string url = start_http_receiver();
  const auto answers = [](int status) {
    return [status](const test::HttpHeard&) { return test::HttpSaid{.status = status, .body = "no"}; };
  };
  const std::string busy = start_http_receiver(answers(503));
  const std::string forbidden = start_http_receiver(answers(403));
  const std::string hanging = start_http_receiver(
      [](const test::HttpHeard&) { return test::HttpSaid{.fault = test::HttpSaid::Fault::kHang}; });
  const std::string nobody = "http://127.0.0.1:9";
  const model::Secret token("t");
  sink::Streams streams(options_of(folder));
  const auto begin = Clock::now();
  streams.apply(
      {sink_of("live-1", ItemFormat::kEcs, model::ElasticSettings{.url = url}),
       sink_of("live-2", ItemFormat::kFlattened, model::SplunkSettings{.url = url, .token = token}),
       sink_of("live-3", ItemFormat::kOtel, model::OtlpSettings{.url = url}),
       sink_of("live-4", ItemFormat::kFlattened, model::LokiSettings{.url = url}),
       sink_of("live-5", ItemFormat::kRecord, model::HttpSettings{.url = url}),
       sink_of("dead-1", ItemFormat::kEcs, model::ElasticSettings{.url = nobody}),
       sink_of("dead-2", ItemFormat::kFlattened, model::SplunkSettings{.url = busy, .token = token}),
       sink_of("dead-3", ItemFormat::kOtel, model::OtlpSettings{.url = hanging}),
       sink_of("dead-4", ItemFormat::kFlattened, model::HttpSettings{.url = forbidden}),
       sink_of("dead-5", ItemFormat::kEcs, model::ElasticSettings{.url = hanging})});
  wait_for(streams, open_journal(folder + "/network").state().next);
  const double took = since(begin);
  constexpr double kFlows = static_cast<double>(kTenWindows * kFlowsPerWindow);
  if (json) {
    fmt::print(R"({{"bench":"outage","what":"ten","peak_mib":{:.1f},"flows_per_s_of_each":{:.0f}}})"
               "\n",
               peak_memory(), kFlows / took);
  } else {
    fmt::print("ten sinks, five of them dead: {:.1f} MiB at most, {:.0f} flows/s to each that lives\n",
               peak_memory(), kFlows / took);
  }
}

void print_catch_up(const std::string& folder, bool json) {
  const std::string url = start_http_receiver();
  sink::Streams streams(options_of(folder));
  const std::uint64_t end = open_journal(folder + "/network").state().next;
  const double cpu = process_cpu_seconds();
  const auto begin = Clock::now();
  streams.apply({sink_of("live", ItemFormat::kEcs, model::ElasticSettings{.url = url})});
  wait_for(streams, end);
  const double took = since(begin);
  const double of_cpu = process_cpu_seconds() - cpu;
  if (json) {
    fmt::print(R"({{"bench":"outage","what":"catch-up","s":{:.1f},"cpu_s":{:.1f},"peak_mib":{:.1f}}})"
               "\n",
               took, of_cpu, peak_memory());
  } else {
    fmt::print("{} flows that waited: delivered in {:.1f} s, {:.1f} s of CPU, {:.1f} MiB at most\n",
               kCatchUpWindows * kFlowsPerWindow, took, of_cpu, peak_memory());
  }
}

void write_journal(const std::string& folder, std::uint64_t windows) {
  auto journal = open_journal(folder + "/network");
  static_cast<void>(fill(journal, windows));
  for (auto sealed = journal.seal_one(); sealed.has_value() && sealed->has_value();)
    sealed = journal.seal_one();
}

int in_own_process(const char* what, const std::string& folder, bool json) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/proc/self/exe", "outage_bench", what, folder.c_str(), json ? "--json" : nullptr, nullptr);
    ::_exit(127);
  }
  int status = 0;
  FLOWTALLY_CHECK(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int run(bool json) {
  const auto base = fs::temp_directory_path() / fmt::format("flowtally-outage-bench-{}", ::getpid());
  int code = 0;
  for (const char* const what : {"delay", "ten", "catch-up"}) {
    const std::string folder = base / what;
    fs::create_directories(folder);
    for (const std::string& step : {fmt::format("write-{}", what), std::string(what)})
      code |= in_own_process(step.c_str(), folder, json);
  }
  fs::remove_all(base);
  return code;
}

}  // namespace
}  // namespace flowtally::bench

int main(int argc, char** argv) {
  using namespace flowtally::bench;
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  flowtally::base::give_memory_back();  // as the agent does
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (argc < 3) return run(what == "--json");
  const bool json = argc > 3;
  if (what == "write-ten") write_journal(argv[2], kTenWindows);
  if (what == "write-catch-up") write_journal(argv[2], kCatchUpWindows);
  if (what == "delay") print_delay(argv[2], json);
  if (what == "ten") print_ten(argv[2], json);
  if (what == "catch-up") print_catch_up(argv[2], json);
  return 0;
}
