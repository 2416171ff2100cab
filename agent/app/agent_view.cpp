#include "app/agent_view.hpp"

#include <cerrno>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.hpp"

namespace flowtally::app {
namespace {

model::JournalStatus journal_status(const char* log_type, const journal::JournalState& state) {
  model::JournalStatus status{.log_type = log_type,
                              .first = state.first,
                              .next = state.next,
                              .bytes = state.bytes,
                              .segments = state.segments,
                              .segments_waiting = state.full_segments,
                              .removed_records = state.removed.records,
                              .removed_bytes = state.removed.bytes,
                              .removed_segments = state.removed.segments,
                              .failures = state.failures,
                              .failing_since = state.failing_since,
                              .failure = state.failure};
  return status;
}

model::IdentityStatus identity_status(const identity::IdentitySource& source) {
  const identity::Status status = source.status();
  const identity::Snapshot snapshot = source.snapshot();
  const model::Tailnet& tailnet = snapshot.nodes->tailnet();
  return {.source = tailnet.source,
          .reachable = status.reachable,
          .folder_removed = status.folder_removed,
          .backend_state = status.backend_state,
          .tailscaled_version = status.version,
          .has_tun = status.has_tun,
          .bus_open = status.bus_open,
          .read_boot_ns = snapshot.read_boot_ns,
          .peers = tailnet.peers.size(),
          .prefs_known = tailnet.prefs.has_value(),
          .reads = status.reads,
          .failures = status.failures,
          .forced_refreshes = status.forced_refreshes,
          .bus_messages = status.bus_messages,
          .events_lost = status.events_lost,
          .peers_left_out = status.peers_left_out,
          .remembered_endpoints = status.remembered_endpoints,
          .last_error = status.last_error};
}

}  // namespace

base::Result<std::unique_ptr<AgentView>> AgentView::make(std::shared_ptr<identity::IdentitySource> identity,
                                                         const RecordJournal* journal, const AuditLog* audit,
                                                         api::Control* control) {
  base::UniqueFd request(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!request.valid()) return base::fail(base::Error::from_errno(errno, "make an eventfd for the API"));
  return std::unique_ptr<AgentView>(
      new AgentView(std::move(identity), journal, audit, control, std::move(request)));
}

model::AgentStatus AgentView::status() {
  model::AgentStatus status;
  {
    const std::scoped_lock lock(mutex_);
    status = status_;
  }
  status.now = base::now();
  if (journal_ != nullptr) status.journals.push_back(journal_status("network", journal_->state()));
  if (audit_ != nullptr) status.journals.push_back(journal_status("configuration", audit_->state()));
  if (control_ != nullptr) status.sinks = control_->sinks();
  status.identity = identity_status(*identity_);
  return status;
}

std::shared_ptr<const model::NodeMap> AgentView::tailnet() { return identity_->snapshot().nodes; }

base::Result<api::LiveWindow> AgentView::live() {
  std::unique_lock lock(mutex_);
  if (live_ && std::chrono::steady_clock::now() - live_at_ < kLiveAge) return *live_;
  const std::uint64_t before = answers_;
  const std::uint64_t one = 1;
  static_cast<void>(::write(request_.get(), &one, sizeof(one)));
  if (!answered_.wait_for(lock, kLiveWait, [&] { return answers_ != before; })) {
    return base::fail(
        base::Error(base::ErrorCode::kResource, "the agent is busy and did not look at its window")
            .advise("Ask again"));
  }
  return *live_;
}

std::string AgentView::journal_directory(api::LogType type) const {
  if (type == api::LogType::kConfiguration) return audit_ != nullptr ? audit_->directory() : std::string{};
  return journal_ != nullptr ? journal_->directory() : std::string{};
}

void AgentView::publish(model::AgentStatus status) {
  const std::scoped_lock lock(mutex_);
  status_ = std::move(status);
}

void AgentView::answer(base::Result<api::LiveWindow> window) {
  std::uint64_t requests = 0;
  static_cast<void>(::read(request_.get(), &requests, sizeof(requests)));
  const std::scoped_lock lock(mutex_);
  live_.emplace(std::move(window));
  live_at_ = std::chrono::steady_clock::now();
  ++answers_;
  answered_.notify_all();
}

}  // namespace flowtally::app
