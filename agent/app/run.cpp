#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "api/server.hpp"
#include "app/agent.hpp"
#include "app/agent_view.hpp"
#include "app/commands.hpp"
#include "app/logging.hpp"
#include "app/node_id.hpp"
#include "app/record_journal.hpp"
#include "app/record_output.hpp"
#include "app/stop_signal.hpp"
#include "capture/kernel_check.hpp"

namespace flowtally::app {
namespace {

ExitCode fail(spdlog::logger& logger, const base::Error& error, ExitCode code) {
  logger.error("{}", error.text());
  return code;
}

/// What a failed start means for the exit code: the command line was read before, so it is the host or we.
ExitCode code_of(const base::Error& error) {
  return error.code() == base::ErrorCode::kInternal ? ExitCode::kFailed : ExitCode::kHost;
}

base::Result<AgentOptions> agent_options(const RunOptions& options) {
  std::string fallback;
  if (options.node_id.empty()) {
    auto derived = machine_node_id();
    if (!derived) return base::fail(std::move(derived.error()));
    fallback = std::move(*derived);
  }
  return AgentOptions{.capture = {.interface = options.interface,
                                  .flows_max = options.flows_max,
                                  .exclude = options.exclude,
                                  .mode = options.attach,
                                  .underlay = {.enabled = options.physical, .interfaces = options.underlay},
                                  .bpffs = options.journal ? options.bpffs : std::string{},
                                  .fresh = options.fresh},
                      .interval = options.interval,
                      .attribution = {.node_id = options.node_id,
                                      .node_id_fallback = std::move(fallback),
                                      .log_exit_flows = options.log_exit_flows},
                      .accounting = options.accounting,
                      .stays_attached = options.journal && !options.duration};
}

base::Result<std::unique_ptr<RecordJournal>> open_journal(const RunOptions& options, spdlog::logger& logger) {
  auto boot = boot_id();
  if (!boot) return base::fail(std::move(boot.error()));
  return RecordJournal::open({.state_dir = options.state_dir,
                              .sync = options.sync,
                              .retained_bytes_max = options.retained_bytes,
                              .retained_age_ms_max = options.retained_age_ms},
                             *boot, logger);
}

base::Result<std::unique_ptr<api::Server>> start_server(const RunOptions& options, AgentView& view) {
  return api::Server::start({.socket_path = options.socket,
                             .socket_group = options.socket_group,
                             .tcp_address = options.listen,
                             .token_file = options.token_file,
                             .systemd_sockets = true},
                            view);
}

std::string destination_text(const RunOptions& options) {
  std::string copy = options.output.value_or("-") == "-" ? "stdout" : options.output.value_or("-");
  if (!options.journal) return copy;
  const std::string journal = network_journal_in(options.state_dir);
  return options.output ? fmt::format("{}, a copy to {}", journal, copy) : journal;
}

base::Result<std::unique_ptr<identity::IdentitySource>> open_identity(const RunOptions& options) {
  if (!options.identity_file.empty()) return identity::identity_of_file(options.identity_file);
  return identity::identity_of_tailscaled({.socket = options.tailscaled_socket});
}

template <std::size_t N>
void append_reasons(const std::array<std::uint64_t, N>& counts, const std::array<const char*, N>& names,
                    const char* what, std::string& text) {
  for (std::size_t at = 0; at < N; ++at) {
    if (counts[at] > 0) text += fmt::format("; {} {}: {}", what, names[at], counts[at]);
  }
}

/// The last line of a run: what was counted, and everything that has no flow of its own, by reason.
std::string summary_text(const AgentSummary& summary) {
  constexpr std::array<const char*, FT_UNPARSED_REASONS> kUnparsed = {
      "", "not IP", "truncated", "header length", "total length", "too many extension headers", "?", "?"};
  constexpr std::array<const char*, FT_EXCLUDED_REASONS> kExcluded = {
      "", "service address", "multicast", "link-local", "short fragment", "protocol", "?", "?"};
  constexpr std::array<const char*, FT_INSERT_FAILURES> kFailures = {"table full", "bucket busy", "no memory",
                                                                     "other"};
  const model::Counters& all = summary.counted;
  std::string text = fmt::format("stopped: {} windows, tx {} packets {} bytes, rx {} packets {} bytes",
                                 summary.windows, all.tx_packets, all.tx_bytes, all.rx_packets, all.rx_bytes);
  append_reasons(summary.totals.unparsed_packets, kUnparsed, "packets not parsed,", text);
  append_reasons(summary.totals.excluded_packets, kExcluded, "packets left out,", text);
  append_reasons(summary.totals.flow_insert_failures, kFailures, "packets counted coarsely,", text);
  append_reasons(summary.totals.coarse_insert_failures, kFailures, "packets counted by protocol only,", text);
  const auto append = [&text](const char* what, const model::Counters& counters) {
    if (!counters.zero())
      text += fmt::format("; {}: {} packets", what, counters.tx_packets + counters.rx_packets);
  };
  append("dropped by the device and taken off", summary.totals.dropped);
  append("dropped by the device after their record", summary.totals.dropped_late);
  if (summary.totals.device_dropped > 0)
    text += fmt::format("; dropped by the device, not taken off: {}", summary.totals.device_dropped);
  append("tailscaled's own datagrams", summary.underlay.hook);
  if (summary.adopted > 0)
    text += fmt::format("; windows taken over from an earlier run: {}", summary.adopted);
  if (summary.pressure_drains > 0) text += fmt::format("; early drains: {}", summary.pressure_drains);
  if (summary.gaps > 0) {
    text += fmt::format("; interface lost: {} times, {:.1f} s without it", summary.gaps,
                        static_cast<double>(summary.uncounted_ns) * 1e-9);
  }
  if (summary.windows_unbalanced > 0)
    text += fmt::format("; windows that did not add up: {}", summary.windows_unbalanced);
  return text + summary.identity_text;
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
  auto identity = open_identity(options);
  if (!identity) return fail(*logger, identity.error(), ExitCode::kUsage);
  std::optional<DescriptorOutput> copy;
  if (options.output || !options.journal) {
    auto output = DescriptorOutput::open(options.output.value_or("-"));
    if (!output) return fail(*logger, output.error(), ExitCode::kFailed);
    copy.emplace(std::move(*output));
  }
  std::unique_ptr<RecordJournal> journal;
  if (options.journal) {
    auto opened = open_journal(options, *logger);
    if (!opened) return fail(*logger, opened.error(), ExitCode::kHost);
    journal = std::move(*opened);
  }

  logger->info("flowtally {}: records every {} ms to {}, who is who from {}", FLOWTALLY_VERSION,
               options.interval.count(), destination_text(options),
               options.identity_file.empty() ? options.tailscaled_socket : options.identity_file);
  const std::shared_ptr<identity::IdentitySource> shared_identity = std::move(*identity);
  auto view = AgentView::make(shared_identity, journal.get(), configuration_journal_in(options.state_dir));
  if (!view) return fail(*logger, view.error(), ExitCode::kFailed);
  std::unique_ptr<api::Server> server;
  if (options.journal) {
    auto started = start_server(options, **view);
    if (!started) return fail(*logger, started.error(), ExitCode::kHost);
    server = std::move(*started);
    for (const std::string& address : server->addresses()) logger->info("answering on {}", address);
  }
  auto agent =
      Agent::start(std::move(*settings), shared_identity,
                   {.journal = journal.get(), .copy = copy ? &*copy : nullptr, .view = view->get()}, *logger);
  if (!agent) return fail(*logger, agent.error(), code_of(agent.error()));
  if (options.duration) {
    if (auto timed = StopSignal::after(*options.duration); !timed) {
      return fail(*logger, timed.error(), ExitCode::kFailed);
    }
  }
  const auto ended = (*agent)->run(stop->fd());
  if (server) server->stop();
  const AgentSummary summary = (*agent)->summary();
  logger->info("{}", summary_text(summary));
  if (options.journal && !options.duration)
    logger->info("the kernel counts on for the next run; `flowtally detach` ends that");
  if (!ended) return fail(*logger, ended.error(), ExitCode::kFailed);
  return summary.windows_unbalanced == 0 ? ExitCode::kOk : ExitCode::kNotConserved;
}

}  // namespace flowtally::app
