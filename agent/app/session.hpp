// This file is one run of the agent with one configuration: everything that is opened for it, in the order in
// which it depends on each other. A changed configuration ends it and begins the next one, while the kernel
// counts on.
#pragma once

#include <expected>
#include <memory>
#include <optional>

#include <spdlog/logger.h>

#include "api/server.hpp"
#include "app/agent.hpp"
#include "app/agent_view.hpp"
#include "app/audit_log.hpp"
#include "app/capturer_process.hpp"
#include "app/commands.hpp"
#include "app/configuration.hpp"
#include "app/record_journal.hpp"
#include "app/record_output.hpp"
#include "app/service_manager.hpp"
#include "base/result.hpp"

namespace flowtally::app {

struct SessionFailure {
  base::Error error;
  ExitCode code = ExitCode::kFailed;
};

/// What sessions that follow each other have in common.
struct Surroundings {
  CapturerProcess* capturer = nullptr;
  ServiceManager* manager = nullptr;
  int reload_fd = -1;  ///< readable after a SIGHUP; -1: that is no wish to read the configuration again
};

/// All calls from one thread.
class Session {
 public:
  /// `logger`, and what is around, must outlive it.
  [[nodiscard]] static std::expected<std::unique_ptr<Session>, SessionFailure> start(
      RunOptions options, const Surroundings& around, spdlog::logger& logger);

  /// Until `stop_fd` becomes readable, or a changed configuration wants another session.
  [[nodiscard]] base::Status run(int stop_fd);
  [[nodiscard]] bool wants_next() const noexcept { return wants_next_; }
  [[nodiscard]] const RunOptions& next() const noexcept { return configuration_->next(); }
  [[nodiscard]] const RunOptions& options() const noexcept { return options_; }
  [[nodiscard]] AgentSummary summary() const { return agent_->summary(); }
  /// The one that was to follow could not begin.
  void note_failure(const base::Error& error);

 private:
  Session(RunOptions options, const Surroundings& around, spdlog::logger& logger);
  [[nodiscard]] std::expected<void, SessionFailure> begin();
  [[nodiscard]] std::expected<void, SessionFailure> open_journals(const AttributionOptions& attribution);
  [[nodiscard]] AgentOutputs outputs();
  void note_start();

  RunOptions options_;
  Surroundings around_;
  spdlog::logger& logger_;
  bool wants_next_ = false;
  // Each needs those before it.
  std::optional<DescriptorOutput> copy_{};
  std::unique_ptr<RecordJournal> journal_{};
  std::unique_ptr<AuditLog> audit_{};
  std::unique_ptr<Configuration> configuration_{};
  std::unique_ptr<AgentView> view_{};
  std::unique_ptr<api::Server> server_{};
  std::unique_ptr<Agent> agent_{};
};

}  // namespace flowtally::app
