#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <future>
#include <stop_token>
#include <thread>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/logger.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "app/agent.hpp"
#include "app/commands.hpp"
#include "app/demo_output.hpp"
#include "app/demo_table.hpp"
#include "app/logging.hpp"
#include "app/stop_signal.hpp"
#include "demo/demo_net.hpp"

namespace flowtally::app {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kQuiet{300};
constexpr milliseconds kQuietDeadline{10000};

/// The agent on node A, on a thread of its own inside the node's namespace.
class NodeAgent {
 public:
  NodeAgent(const demo::DemoTailnet& tailnet, const DemoOptions& options, DemoOutput& output,
            spdlog::logger& logger)
      : stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    auto started = started_.get_future();
    thread_ = std::thread([this, &tailnet, &options, &output, &logger] {
      result_ = tailnet.namespace_a().run([&] { return work(options, output, logger); });
      if (!announced_) started_.set_value();
    });
    started.wait();
  }
  NodeAgent(const NodeAgent&) = delete;
  NodeAgent& operator=(const NodeAgent&) = delete;
  ~NodeAgent() {
    if (thread_.joinable()) std::ignore = finish();
  }

  [[nodiscard]] bool counting() const noexcept { return counting_; }

  /// Takes the programs off, drains, ends. What went wrong on the way, if anything.
  [[nodiscard]] base::Result<AgentSummary> finish() {
    const std::uint64_t one = 1;
    static_cast<void>(::write(stop_.get(), &one, sizeof(one)));
    thread_.join();
    return std::move(result_);
  }

 private:
  base::Result<AgentSummary> work(const DemoOptions& options, DemoOutput& output, spdlog::logger& logger) {
    auto agent = Agent::start({.capture = {.interface = demo::kDemoDevice, .flows_max = options.flows_max},
                               .interval = options.interval,
                               .attribution = {.node_id = "nDemoA"},
                               .accounting = true},
                              identity::no_identity(), {.copy = &output}, logger);
    if (!agent) return base::fail(std::move(agent.error()));
    counting_ = (*agent)->attached();
    announced_ = true;
    started_.set_value();
    if (auto ended = (*agent)->run(stop_.get()); !ended) return base::fail(std::move(ended.error()));
    return (*agent)->summary();
  }

  base::UniqueFd stop_;
  std::promise<void> started_;
  bool announced_ = false;  ///< own thread only
  std::atomic<bool> counting_ = false;
  base::Result<AgentSummary> result_{};
  std::thread thread_;
};

void tell(spdlog::logger& logger, const demo::TrafficReport& report, demo::Side from) {
  logger.info("{} from {} over IPv{}: {} sent, {} answered, {} bytes out, {} bytes in", report.what,
              from == demo::Side::kA ? "A" : "B", static_cast<int>(report.family), report.sent,
              report.answered, report.bytes_sent, report.bytes_received);
}

/// Every kind of traffic, from both nodes, over both families, round after round until it is told to stop. An
/// error is one that no stop explains.
base::Status make_traffic(const demo::DemoTailnet& tailnet, spdlog::logger& logger,
                          const std::stop_token& stop) {
  for (bool first_round = true; !stop.stop_requested(); first_round = false) {
    for (const demo::Side from : {demo::Side::kA, demo::Side::kB}) {
      for (const auto family : {model::Address::Family::kV4, model::Address::Family::kV6}) {
        auto reports = demo::mixed_traffic(tailnet.path(from, family), {}, {.stop = stop});
        if (stop.stop_requested()) return {};
        if (!reports) return base::fail(std::move(reports.error()));
        for (const auto& report : *reports) {
          if (first_round) tell(logger, report, from);
        }
      }
    }
  }
  return {};
}

/// Waits for a stop signal, for the end of the time, or for the traffic to fail.
void wait_for_end(const StopSignal& stop, const DemoOptions& options, std::future<base::Status>& traffic) {
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    pollfd signal{.fd = stop.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&signal, 1, 50) > 0) return;
    if (options.duration && std::chrono::steady_clock::now() - start >= *options.duration) return;
    if (traffic.wait_for(milliseconds(0)) == std::future_status::ready) return;
  }
}

/// The table and the last line.
ExitCode judge(demo::DemoTailnet& tailnet, const DemoOutput& output, const AgentSummary& summary) {
  const demo::WireCounter wire = tailnet.forwarder().counted(demo::Side::kA);
  const Comparison comparison = compare(wire.flows(), wire.totals().all, output.flows(), output.totals());
  fmt::print("\n{}\n", table_text(comparison, ::isatty(STDOUT_FILENO) == 1));
  for (const auto& fault : tailnet.forwarder().faults())
    fmt::print("forwarder: {}, {} times\n", fault.reason, fault.times);
  if (const auto stats = tailnet.forwarder().link_stats(demo::Side::kA); stats && stats->tx_dropped > 0) {
    fmt::print("{} dropped {} packets after they were counted: its reader was too slow\n", demo::kDemoDevice,
               stats->tx_dropped);
  }
  const std::optional<std::string>& unreadable = output.unreadable();
  if (unreadable) fmt::print("a record could not be read back: {}\n", *unreadable);

  const bool some = comparison.wire_all.tx_packets > 0 && comparison.wire_all.rx_packets > 0;
  const bool exact = some && comparison.exact() && summary.windows_unbalanced == 0 && !unreadable;
  const std::uint64_t packets = comparison.wire_all.tx_packets + comparison.wire_all.rx_packets;
  const std::uint64_t bytes = comparison.wire_all.tx_bytes + comparison.wire_all.rx_bytes;
  if (exact) {
    fmt::print("exact: {} flows, {} packets, {} bytes in {} records, every packet and every byte agrees\n",
               comparison.flows.size(), packets, bytes, output.records());
    return ExitCode::kOk;
  }
  fmt::print("NOT exact: {} of {} flows differ, {} windows did not add up{}\n", comparison.differing,
             comparison.flows.size(), summary.windows_unbalanced,
             some ? "" : ", and there was no traffic to compare");
  return ExitCode::kNotConserved;
}

ExitCode fail(spdlog::logger& logger, const base::Error& error, ExitCode code) {
  logger.error("{}", error.text());
  return code;
}

}  // namespace

ExitCode demo(const DemoOptions& options) {
  const auto logger = make_logger();
  auto stop = StopSignal::open();
  if (!stop) return fail(*logger, stop.error(), ExitCode::kFailed);
  auto tailnet = demo::DemoTailnet::make();
  if (!tailnet) return fail(*logger, tailnet.error(), ExitCode::kHost);
  logger->info("two nodes in network namespaces: A 100.64.0.1 (counted) and B 100.64.0.2; {}",
               options.duration ? "stops by itself" : "Ctrl-C stops");

  DemoOutput output;
  NodeAgent agent(*tailnet, options, output, *logger);
  if (!agent.counting()) {
    auto ended = agent.finish();
    return ended ? ExitCode::kHost : fail(*logger, ended.error(), ExitCode::kHost);
  }
  std::stop_source traffic_stop;
  auto traffic = std::async(std::launch::async,
                            [&] { return make_traffic(*tailnet, *logger, traffic_stop.get_token()); });
  wait_for_end(*stop, options, traffic);
  traffic_stop.request_stop();
  const base::Status traffic_ended = traffic.get();
  const bool quiet = tailnet->forwarder().quiet_for(kQuiet, kQuietDeadline);

  auto summary = agent.finish();
  tailnet->forwarder().stop();
  if (!summary) return fail(*logger, summary.error(), ExitCode::kFailed);
  if (!quiet)
    logger->warn("packets were still passing {} ms after the end of the traffic", kQuietDeadline.count());
  const ExitCode judged = judge(*tailnet, output, *summary);
  if (!traffic_ended) return fail(*logger, traffic_ended.error(), ExitCode::kFailed);
  return judged;
}

}  // namespace flowtally::app
