#include "app/session.hpp"

#include <string>
#include <utility>

#include <fmt/format.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/agent_view.hpp"
#include "app/node_id.hpp"
#include "app/record_journal.hpp"
#include "app/run_settings.hpp"
#include "capture/kernel_check.hpp"
#include "config/print.hpp"

namespace flowtally::app {
namespace {

/// The capturer of an agent that was killed lets go when it sees that, after what it is doing.
constexpr std::chrono::milliseconds kPinsWait{5'000};

/// What a failed start means for the exit code: the command line was read before, so it is the host or we.
ExitCode code_of(const base::Error& error) {
  return error.code() == base::ErrorCode::kInternal ? ExitCode::kFailed : ExitCode::kHost;
}

base::Result<AgentOptions> agent_options(const RunOptions& options) {
  std::string fallback;
  if (options.node_id.empty()) {
    auto derived = machine_node_id(options.journal ? options.state_dir : std::string{});
    if (!derived) return base::fail(std::move(derived.error()));
    fallback = std::move(*derived);
  }
  return AgentOptions{.capture = {.interface = options.interface,
                                  .flows_max = options.flows_max,
                                  .exclude = options.exclude,
                                  .mode = options.attach,
                                  .underlay = {.enabled = options.physical, .interfaces = options.underlay},
                                  .bpffs = options.journal ? options.bpffs : std::string{},
                                  .fresh = options.fresh,
                                  .lock_wait = kPinsWait},
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

base::Result<std::unique_ptr<api::Server>> start_server(const RunOptions& options, AgentView& view,
                                                        api::Control* control) {
  return api::Server::start({.socket_path = options.socket,
                             .socket_group = options.socket_group,
                             .tcp_address = options.listen,
                             .token_file = options.token_file,
                             .systemd_sockets = true},
                            view, control);
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

std::unexpected<SessionFailure> failed(base::Error error, ExitCode code) {
  return std::unexpected(SessionFailure{.error = std::move(error), .code = code});
}

}  // namespace

Session::Session(RunOptions options, const Surroundings& around, spdlog::logger& logger)
    : options_(std::move(options)), around_(around), logger_(logger) {}

std::expected<std::unique_ptr<Session>, SessionFailure> Session::start(RunOptions options,
                                                                       const Surroundings& around,
                                                                       spdlog::logger& logger) {
  std::unique_ptr<Session> session(new Session(std::move(options), around, logger));
  if (auto begun = session->begin(); !begun) return std::unexpected(std::move(begun.error()));
  return session;
}

std::expected<void, SessionFailure> Session::begin() {
  if (auto mounted = capture::require_bpffs(options_.bpffs); !mounted)
    return failed(std::move(mounted.error()), ExitCode::kHost);
  auto settings = agent_options(options_);
  if (!settings) return failed(std::move(settings.error()), ExitCode::kHost);
  if (around_.capturer != nullptr) {
    settings->open_capture = [capturer = around_.capturer](const capture::CaptureOptions& wanted) {
      return capturer->open(wanted);
    };
  }
  auto identity = open_identity(options_);
  if (!identity) return failed(std::move(identity.error()), ExitCode::kUsage);
  const std::shared_ptr<identity::IdentitySource> shared_identity = std::move(*identity);
  if (options_.output || !options_.journal) {
    auto output = DescriptorOutput::open(options_.output.value_or("-"));
    if (!output) return failed(std::move(output.error()), ExitCode::kFailed);
    copy_.emplace(std::move(*output));
  }
  if (options_.journal) {
    if (auto opened = open_journals(settings->attribution); !opened) return opened;
  }
  logger_.info("flowtally {}: records every {} ms to {}, who is who from {}", FLOWTALLY_VERSION,
               options_.interval.count(), destination_text(options_),
               options_.identity_file.empty() ? options_.tailscaled_socket : options_.identity_file);
  auto view = AgentView::make(shared_identity, journal_.get(), audit_.get(), configuration_.get());
  if (!view) return failed(std::move(view.error()), ExitCode::kFailed);
  view_ = std::move(*view);
  if (options_.journal) {
    auto started = start_server(options_, *view_, configuration_.get());
    if (!started) return failed(std::move(started.error()), ExitCode::kHost);
    server_ = std::move(*started);
    for (const std::string& address : server_->addresses()) logger_.info("answering on {}", address);
  }
  auto agent = Agent::start(std::move(*settings), shared_identity, outputs(), logger_);
  if (!agent) {
    const ExitCode code = code_of(agent.error());
    return failed(std::move(agent.error()), code);
  }
  agent_ = std::move(*agent);
  note_start();
  return {};
}

std::expected<void, SessionFailure> Session::open_journals(const AttributionOptions& attribution) {
  auto opened = open_journal(options_, logger_);
  if (!opened) return failed(std::move(opened.error()), ExitCode::kHost);
  journal_ = std::move(*opened);
  const std::string node = attribution.node_id.empty() ? attribution.node_id_fallback : attribution.node_id;
  auto audit = AuditLog::open(options_.state_dir, node, logger_);
  if (!audit) return failed(std::move(audit.error()), ExitCode::kHost);
  audit_ = std::move(*audit);
  auto configuration = Configuration::open(
      options_, *audit_, [journal = journal_.get()] { return journal->state().next; }, logger_);
  if (!configuration) return failed(std::move(configuration.error()), ExitCode::kUsage);
  configuration_ = std::move(*configuration);
  return {};
}

AgentOutputs Session::outputs() {
  AgentOutputs outputs{.journal = journal_.get(), .copy = copy_ ? &*copy_ : nullptr, .view = view_.get()};
  outputs.manager = around_.manager;
  if (!configuration_) return outputs;
  outputs.tell = [this](const AgentEvent& event) {
    audit_->note(
        {.property = "INTERFACE", .action = event.attached ? "ENABLE" : "DISABLE", .details = event.text});
  };
  outputs.reload_fd = around_.reload_fd;
  outputs.reload = [this] {
    signalfd_siginfo signals{};
    while (::read(around_.reload_fd, &signals, sizeof(signals)) > 0) continue;
    wants_next_ = configuration_->take_reload();
    return wants_next_;
  };
  return outputs;
}

void Session::note_start() {
  if (!audit_) return;
  const std::string before = audit_->exchange_version(FLOWTALLY_VERSION);
  if (!before.empty() && before != FLOWTALLY_VERSION) {
    audit_->note({.property = "VERSION",
                  .action = "UPDATE",
                  .old_json = fmt::format("\"{}\"", before),
                  .new_json = fmt::format("\"{}\"", FLOWTALLY_VERSION)});
  }
  audit_->note({.property = "NETWORK_FLOW_LOGGING",
                .action = "ENABLE",
                .new_json = config::settings_json(settings_of(options_)),
                .details = fmt::format("flowtally {} started", FLOWTALLY_VERSION)});
}

base::Status Session::run(int stop_fd) {
  auto ended = agent_->run(stop_fd);
  if (around_.manager != nullptr && !wants_next_) around_.manager->stopping();
  if (server_) server_->stop();
  if (audit_ && !wants_next_) {
    audit_->note({.property = "NETWORK_FLOW_LOGGING",
                  .action = "DISABLE",
                  .details = ended ? "flowtally stopped" : "flowtally failed",
                  .error = ended ? std::string() : ended.error().text()});
  }
  return ended;
}

void Session::note_failure(const base::Error& error) {
  if (audit_) audit_->note({.property = "CONFIGURATION", .action = "UPDATE", .error = error.text()});
}

}  // namespace flowtally::app
