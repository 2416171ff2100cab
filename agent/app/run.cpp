#include <array>
#include <cstdio>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "app/capturer_process.hpp"
#include "app/commands.hpp"
#include "app/logging.hpp"
#include "app/part_rights.hpp"
#include "app/service_manager.hpp"
#include "app/session.hpp"
#include "app/stop_signal.hpp"
#include "base/memory.hpp"

namespace flowtally::app {
namespace {

ExitCode fail(spdlog::logger& logger, const base::Error& error, ExitCode code) {
  logger.error("{}", error.text());
  return code;
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

ExitCode run(const ReadOptions& read) {
  base::give_memory_back();
  const auto logger = make_logger();
  auto stop = StopSignal::open();
  if (!stop) return fail(*logger, stop.error(), ExitCode::kFailed);
  // Before the configuration is read: there are secrets in it, and the capturer is not to have them.
  auto capturer = CapturerProcess::start();
  if (!capturer) return fail(*logger, capturer.error(), ExitCode::kFailed);
  const auto first = read();
  if (!first) {
    for (const std::string& line : first.error().lines) fmt::print(stderr, "flowtally: {}\n", line);
    return ExitCode::kUsage;
  }
  const RunOptions& options = *first;
  base::UniqueFd hangup;
  if (options.reload && options.journal) {
    auto diverted = stop->divert_hangup();
    if (!diverted) return fail(*logger, diverted.error(), ExitCode::kFailed);
    hangup = std::move(*diverted);
  }
  if (options.duration) {
    if (auto timed = StopSignal::after(*options.duration); !timed) {
      return fail(*logger, timed.error(), ExitCode::kFailed);
    }
  }
  // Now, while nothing has been read but what the operator wrote: later nobody can have it pin elsewhere.
  if (auto confined = (*capturer)->confine(options.journal ? options.bpffs : std::string{}); !confined)
    return fail(*logger, confined.error(), ExitCode::kFailed);
  const auto rights = become_agent(options);
  if (!rights) return fail(*logger, rights.error(), ExitCode::kHost);
  if (!rights->warning.empty()) logger->warn("{}", rights->warning);
  // What was read by root is to be read again later, by the agent.
  if (options.reload) {
    if (const auto again = options.reload(); !again) {
      for (const std::string& line : again.error().lines) logger->error("{}", line);
      logger->error(
          "{}, and it has to read its configuration; give files with secrets to root and the agent's "
          "group: `chown root:flowtally`, `chmod 640`",
          rights->text);
      return ExitCode::kHost;
    }
  }
  ServiceManager manager;
  const Surroundings around{.capturer = capturer->get(), .manager = &manager, .reload_fd = hangup.get()};
  auto session = Session::start(options, around, *logger);
  if (!session) return fail(*logger, session.error().error, session.error().code);
  logger->info("{}; process {} holds what counts", rights->text, (*capturer)->pid());
  manager.ready();
  std::uint64_t unbalanced = 0;
  for (;;) {
    const auto ended = (*session)->run(stop->fd());
    const AgentSummary summary = (*session)->summary();
    unbalanced += summary.windows_unbalanced;
    logger->info("{}", summary_text(summary));
    if (!ended) return fail(*logger, ended.error(), ExitCode::kFailed);
    if (!(*session)->wants_next()) break;  // its last words have been said
    const RunOptions before = (*session)->options();
    const RunOptions next = (*session)->next();
    session->reset();  // its journal, socket and pins are the next one's
    session = Session::start(next, around, *logger);
    if (session) continue;
    logger->error("{}; going on with the configuration as it was", session.error().error.text());
    const base::Error failure = session.error().error;
    session = Session::start(before, around, *logger);
    if (!session) return fail(*logger, session.error().error, session.error().code);
    (*session)->note_failure(failure);
  }
  if (options.journal && !options.duration)
    logger->info("the kernel counts on for the next run; `flowtally detach` ends that");
  return unbalanced == 0 ? ExitCode::kOk : ExitCode::kNotConserved;
}

}  // namespace flowtally::app
