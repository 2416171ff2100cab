// This file is what the API sees of the agent: the agent's thread puts its state here, the API's threads take
// it from here, and neither waits long for the other.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "api/control.hpp"
#include "api/source.hpp"
#include "app/audit_log.hpp"
#include "app/record_journal.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "identity/identity.hpp"

namespace flowtally::app {

/// So long somebody who asks for the active window waits for the agent's thread, which may be writing.
inline constexpr std::chrono::milliseconds kLiveWait{2000};
/// A look at the active window that is not older answers the next one too.
inline constexpr std::chrono::milliseconds kLiveAge{500};

class AgentView final : public api::Source {
 public:
  /// The others, each of which may be null, must outlive it.
  [[nodiscard]] static base::Result<std::unique_ptr<AgentView>> make(
      std::shared_ptr<identity::IdentitySource> identity, const RecordJournal* journal, const AuditLog* audit,
      api::Control* control);

  // For the API's threads.
  [[nodiscard]] model::AgentStatus status() override;
  [[nodiscard]] std::shared_ptr<const model::NodeMap> tailnet() override;
  /// kResource: the agent's thread did not come by.
  [[nodiscard]] base::Result<api::LiveWindow> live() override;
  [[nodiscard]] std::string journal_directory(api::LogType type) const override;

  // For the agent's thread.
  /// Journals and identity are filled in by status().
  void publish(model::AgentStatus status);
  /// Readable when somebody asks for the active window; answer() then.
  [[nodiscard]] int request_fd() const noexcept { return request_.get(); }
  void answer(base::Result<api::LiveWindow> window);

 private:
  AgentView(std::shared_ptr<identity::IdentitySource> identity, const RecordJournal* journal,
            const AuditLog* audit, api::Control* control, base::UniqueFd request)
      : identity_(std::move(identity)),
        journal_(journal),
        audit_(audit),
        control_(control),
        request_(std::move(request)) {}

  // constant after construction, or with locks of their own
  std::shared_ptr<identity::IdentitySource> identity_;
  const RecordJournal* journal_;
  const AuditLog* audit_;
  api::Control* control_;
  base::UniqueFd request_;  ///< an eventfd

  std::mutex mutex_;
  std::condition_variable answered_;
  model::AgentStatus status_;  ///< guarded by mutex_, as all that follows
  std::optional<base::Result<api::LiveWindow>> live_{};
  std::chrono::steady_clock::time_point live_at_{};
  std::uint64_t answers_ = 0;
};

}  // namespace flowtally::app
