#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "app/agent.hpp"
#include "app/commands.hpp"
#include "app/logging.hpp"
#include "app/node_id.hpp"
#include "app/record_output.hpp"
#include "app/stop_signal.hpp"
#include "capture/kernel_check.hpp"

namespace flowtally::app {
namespace {

ExitCode fail(spdlog::logger& logger, const base::Error& error, ExitCode code) {
  logger.error("{}", error.text());
  return code;
}

/// What a failed start means for the exit code: most failures are the host's.
ExitCode code_of(const base::Error& error) {
  switch (error.code()) {
    case base::ErrorCode::kInvalidArgument: return ExitCode::kUsage;
    case base::ErrorCode::kInternal: return ExitCode::kFailed;
    default: return ExitCode::kHost;
  }
}

base::Result<AgentOptions> agent_options(const RunOptions& options) {
  std::string node_id = options.node_id;
  if (node_id.empty()) {
    auto derived = machine_node_id();
    if (!derived) return base::fail(std::move(derived.error()));
    node_id = std::move(*derived);
  }
  return AgentOptions{.capture = {.interface = options.interface,
                                  .flows_max = options.flows_max,
                                  .exclude = options.exclude,
                                  .mode = options.attach},
                      .interval = options.interval,
                      .node_id = std::move(node_id),
                      .accounting = options.accounting};
}

}  // namespace

ExitCode run(const RunOptions& options) {
  const auto logger = make_logger();
  auto stop = StopSignal::open();
  if (!stop) return fail(*logger, stop.error(), ExitCode::kFailed);
  if (auto mounted = capture::require_bpffs(options.bpffs); !mounted) {
    return fail(*logger, mounted.error(), ExitCode::kHost);
  }
  auto settings = agent_options(options);
  if (!settings) return fail(*logger, settings.error(), ExitCode::kHost);
  auto output = DescriptorOutput::open(options.output);
  if (!output) return fail(*logger, output.error(), ExitCode::kFailed);

  logger->info("flowtally {}: records of node {} every {} ms to {}", FLOWTALLY_VERSION, settings->node_id,
               options.interval.count(), options.output == "-" ? "stdout" : options.output);
  auto agent = Agent::start(std::move(*settings), *output, *logger);
  if (!agent) return fail(*logger, agent.error(), code_of(agent.error()));
  const auto ended = (*agent)->run(stop->fd());
  const AgentSummary& summary = (*agent)->summary();
  logger->info("stopped: {} windows, tx {} packets {} bytes, rx {} packets {} bytes", summary.windows,
               summary.counted.tx_packets, summary.counted.tx_bytes, summary.counted.rx_packets,
               summary.counted.rx_bytes);
  if (!ended) return fail(*logger, ended.error(), ExitCode::kFailed);
  return summary.windows_unbalanced == 0 ? ExitCode::kOk : ExitCode::kNotConserved;
}

}  // namespace flowtally::app
