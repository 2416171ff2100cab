// This file is the configuration while the agent runs: where it came from, what of it can change, who may
// change it, and what is streamed by it. Every change, and every attempt that was refused, goes into the
// audit log.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <spdlog/logger.h>

#include "api/control.hpp"
#include "app/audit_log.hpp"
#include "app/commands.hpp"
#include "base/result.hpp"
#include "config/faults.hpp"
#include "sink/streams.hpp"

namespace flowtally::app {

/// Whether it is a filter of the query language, for the configuration's checks.
[[nodiscard]] base::Status check_filter(const std::string& text);

/// Thread-safe. The sinks of the file, those that were added over the API, and Tailscale's two streams are
/// one set; the first wins over the others of its name.
class Configuration final : public api::Control {
 public:
  /// Reads what was added over the API before, and begins to stream. `audit` and `logger` must outlive it.
  /// `network_end` is the number that the journal of flows gives next; any thread may ask it.
  [[nodiscard]] static base::Result<std::unique_ptr<Configuration>> open(
      RunOptions options, AuditLog& audit, std::function<std::uint64_t()> network_end,
      spdlog::logger& logger);

  // api::Control
  [[nodiscard]] bool may_change(const api::Caller& caller) const override;
  void refused(const api::Caller& caller, std::string_view what) override;
  [[nodiscard]] std::optional<api::LogStream> stream(api::LogType type) override;
  [[nodiscard]] base::Status put_stream(api::LogType type, api::LogStream stream,
                                        const api::Caller& caller) override;
  [[nodiscard]] base::Status delete_stream(api::LogType type, const api::Caller& caller) override;
  [[nodiscard]] std::vector<model::SinkStatus> sinks() override;
  [[nodiscard]] base::Status put_sink(const std::string& name, std::string_view text,
                                      const api::Caller& caller) override;
  [[nodiscard]] base::Status delete_sink(const std::string& name, const api::Caller& caller) override;
  [[nodiscard]] base::Result<std::string> test_sink(const std::string& name,
                                                    const api::Caller& caller) override;
  [[nodiscard]] base::Result<api::Replayed> replay(const std::string& name,
                                                   const api::Caller& caller) override;
  /// Reads and checks at once; what it finds is put into force by the agent's thread, which is told by
  /// SIGHUP.
  [[nodiscard]] base::Status reload(const api::Caller& caller) override;
  [[nodiscard]] std::string configuration() override;

  /// For the agent's thread, after a SIGHUP: puts a new configuration into force as far as that can be done
  /// while it counts. True: there is more, and next() has it.
  [[nodiscard]] bool take_reload();
  /// What the next agent is to go by.
  [[nodiscard]] const RunOptions& next() const noexcept { return next_; }

 private:
  Configuration(RunOptions options, AuditLog& audit, std::function<std::uint64_t()> network_end,
                spdlog::logger& logger);

  [[nodiscard]] base::Status read_kept();
  void apply();
  [[nodiscard]] std::vector<model::SinkSettings> all_sinks() const;
  [[nodiscard]] std::optional<model::SinkSettings> find_sink(const std::string& name) const;
  [[nodiscard]] bool in_file(const std::string& name) const;
  [[nodiscard]] base::Status keep_added() const;
  [[nodiscard]] base::Status keep_streams() const;
  void note(const AuditChange& change, const api::Caller& caller);
  [[nodiscard]] base::Error refuse(AuditChange change, const api::Caller& caller, base::Error error);

  // constant after construction, or with locks of their own
  AuditLog& audit_;
  std::function<std::uint64_t()> network_end_;
  spdlog::logger& logger_;
  std::string added_path_;
  std::string streams_path_;

  std::mutex changing_;       ///< one change at a time
  mutable std::mutex mutex_;  ///< guards what follows
  RunOptions options_;
  std::map<std::string, model::SinkSettings> added_;
  std::map<model::LogType, api::LogStream> log_streams_;
  std::vector<model::SinkStatus> unusable_;  ///< streams of Tailscale's API that nothing here can send
  std::optional<RunOptions> pending_;
  RunOptions next_;

  std::unique_ptr<sink::Streams> streams_;  ///< the last member: it ends first
};

}  // namespace flowtally::app
