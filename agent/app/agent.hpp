// This file is the main job, wired together: each interval the capture gives a generation, flow makes a
// window of it, record writes it, the journal and the output take it, and only then the kernel forgets it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <spdlog/logger.h>

#include "app/agent_view.hpp"
#include "app/attribution.hpp"
#include "app/record_journal.hpp"
#include "app/record_output.hpp"
#include "app/service_manager.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "capture/capture.hpp"
#include "model/agent_status.hpp"

namespace flowtally::app {

/// How long the last records may take to be written after a stop, where the receiver is slow.
inline constexpr std::chrono::seconds kStopGrace{5};

struct AgentOptions {
  capture::CaptureOptions capture;
  /// Opens it in another process; empty: in this one.
  std::function<base::Result<std::unique_ptr<capture::Capture>>(const capture::CaptureOptions&)>
      open_capture{};
  std::chrono::milliseconds interval{5000};
  AttributionOptions attribution;
  bool accounting = true;       ///< false: Tailscale's fields and nothing else
  bool stays_attached = false;  ///< after a stop, for the next run; only where the capture is pinned
};

/// What a run came to.
struct AgentSummary {
  std::uint64_t windows = 0;             ///< drained windows in which anything passed the hook
  std::uint64_t windows_unbalanced = 0;  ///< of them, those that did not add up
  std::uint64_t pressure_drains = 0;     ///< drains before their time, because a generation filled up
  std::uint64_t gaps = 0;                ///< times that the interface went away
  std::int64_t uncounted_ns = 0;         ///< how long it was away
  std::uint64_t adopted = 0;             ///< generations that an earlier run had retired or counted alone
  model::Counters counted;               ///< all that passed the hook
  model::Counters coarse;                ///< of it, counted without ports
  model::Totals totals;                  ///< sums over the windows, with the reasons
  model::Underlay underlay;              ///< tailscaled's own traffic
  std::string identity_text;             ///< how asking who is who went, for people
};

/// What an agent tells of that goes into the audit log.
struct AgentEvent {
  bool attached = false;  ///< to the interface, or off it
  std::string text{};
};

/// Where records go. What is here must outlive the agent.
struct AgentOutputs {
  RecordJournal* journal = nullptr;               ///< null: there is none
  RecordOutput* copy = nullptr;                   ///< null: nobody wants one
  AgentView* view = nullptr;                      ///< null: nobody asks
  std::function<void(const AgentEvent&)> tell{};  ///< called by the agent's thread
  int reload_fd = -1;  ///< readable when the configuration is to be read again; -1: it never is
  /// Called then. True: what changed needs another agent, and run() ends.
  std::function<bool()> reload{};
  ServiceManager* manager = nullptr;  ///< whose watchdog is told that the loop goes round; null: nobody's
};

/// One capture and its outputs. All calls from one thread, which stays in the interface's network namespace.
class Agent {
 public:
  /// Loads, and attaches if the interface is there; what an earlier run left is drained and written. `logger`
  /// must outlive the agent.
  [[nodiscard]] static base::Result<std::unique_ptr<Agent>> start(
      AgentOptions options, std::shared_ptr<identity::IdentitySource> identity, AgentOutputs outputs,
      spdlog::logger& logger);

  /// Works until `stop_fd` becomes readable, or outputs.reload says so; then drains what is left and writes
  /// it. Where `stays_attached` the kernel counts on for the next run, else the programs are taken off first.
  /// An Error says what could not be written, with its packets and bytes.
  [[nodiscard]] base::Status run(int stop_fd);

  /// The interface is there and counted.
  [[nodiscard]] bool attached() const { return capturer_->status().attached; }
  [[nodiscard]] AgentSummary summary() const;

 private:
  /// How far the latest generation has come.
  enum class Stage : std::uint8_t {
    kDone,     ///< there is none, or the kernel has forgotten it
    kJournal,  ///< its records are to be appended
    kCopy,     ///< they are in the journal, and the copy is being written
    kClear,    ///< the kernel is to forget it
  };

  Agent(AgentOptions options, std::shared_ptr<identity::IdentitySource> identity, AgentOutputs outputs,
        spdlog::logger& logger)
      : options_(std::move(options)),
        attribution_(std::move(identity), options_.attribution, logger),
        outputs_(std::move(outputs)),
        logger_(logger) {}

  [[nodiscard]] base::Status prepare();
  void drain_backlog();
  [[nodiscard]] bool handle(const std::vector<capture::Event>& events);
  void take_sockets();
  void publish();
  [[nodiscard]] model::AgentStatus report() const;
  [[nodiscard]] base::Result<api::LiveWindow> look_at_live_window();
  /// True: a generation was drained and its records were handed to the output.
  [[nodiscard]] base::Result<bool> drain_window();
  [[nodiscard]] base::Status settle();
  [[nodiscard]] bool append_to_journal();
  [[nodiscard]] base::Result<bool> write_copy();
  [[nodiscard]] bool clear_in_kernel();
  [[nodiscard]] base::Status finish(int stop_fd);
  void write_window(const model::Generation& generation);
  void tell_coarse(const model::Window& window);
  [[nodiscard]] base::Error lost(base::Error error);

  AgentOptions options_;
  Attribution attribution_;
  AgentOutputs outputs_;
  spdlog::logger& logger_;
  std::string boot_id_;
  std::unique_ptr<capture::Capture> capturer_;
  base::UniqueFd timer_;
  AgentSummary summary_;
  Stage stage_ = Stage::kDone;
  bool journal_failing_ = false;  ///< the last append failed; said once
  bool output_failing_ = false;   ///< the last flush failed; said once
  bool coarse_ = false;           ///< the last window was coarse; said when it changes
  base::Moment started_ = base::now();
  std::uint64_t copy_failures_ = 0;
  std::optional<base::Moment> copy_failing_since_;
  std::string copy_failure_;
  std::uint64_t flows_ = 0;  ///< entries of all windows
  std::uint64_t flows_latest_ = 0;
  std::string node_id_;  ///< of the latest window
  model::DrainStatus drain_;
  base::Moment drained_end_{};  ///< of the latest window that was drained
  model::Counters unsettled_;   ///< what the window that is being written has counted
};

}  // namespace flowtally::app
