// This file is the configuration audit log: every change of flowtally's configuration, its starts and stops,
// what it attaches to, and every attempt that was refused, in a journal of their own.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include <spdlog/logger.h>
#include <sys/types.h>

#include "base/result.hpp"
#include "journal/journal.hpp"
#include "journal/keeper.hpp"
#include "model/audit_event.hpp"

namespace flowtally::app {

/// The audit log's own size: it is small, and nothing else removes from it.
inline constexpr std::uint64_t kAuditBytesMax = std::uint64_t{256} << 20U;
/// Events that wait for a disk that takes none.
inline constexpr std::size_t kAuditPendingMax = 1000;

/// What happened, but for who, when and to which node.
struct AuditChange {
  std::string
      property{};  ///< "CONFIGURATION", "LOGSTREAM_ENDPOINT", "NETWORK_FLOW_LOGGING", "INTERFACE", "VERSION"
  std::string action{};  ///< as in model::AuditEvent
  std::string target_type{"NODE"};
  std::string target_name{};  ///< empty: the host's
  std::string old_json{};
  std::string new_json{};
  std::string details{};
  std::string error{};
};

/// Thread-safe.
class AuditLog {
 public:
  /// In `state_dir`/configuration. kResource: another process has it.
  [[nodiscard]] static base::Result<std::unique_ptr<AuditLog>> open(const std::string& state_dir,
                                                                    std::string node_id,
                                                                    spdlog::logger& logger);
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  /// By flowtally itself: a start, a stop, the file was read again.
  void note(const AuditChange& change);
  /// By a user of this host, who asked for it over the socket.
  void note(const AuditChange& change, uid_t caller);
  /// By whoever had the token.
  void note_token(const AuditChange& change);

  /// The version that ran last, and from now on is `version`; empty the first time.
  [[nodiscard]] std::string exchange_version(const std::string& version);

  [[nodiscard]] journal::JournalState state() const { return journal_.state(); }
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }
  /// Events that the disk never took; `state()` says why.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  AuditLog(journal::Journal journal, std::string directory, std::string state_dir, std::string node_id,
           spdlog::logger& logger);
  void write(const AuditChange& change, model::AuditActor actor, std::string origin);

  // constant after construction
  std::string directory_;
  std::string state_dir_;
  std::string node_id_;
  std::string host_name_;
  spdlog::logger& logger_;

  mutable std::mutex mutex_;
  journal::Journal journal_;               ///< appended to under mutex_
  std::deque<model::AuditEvent> pending_;  ///< guarded by mutex_, as what follows
  std::int64_t logged_ns_ = 0;
  std::uint64_t dropped_ = 0;
  bool failing_ = false;
  std::unique_ptr<journal::JournalKeeper> keeper_;  ///< the last member: it ends before the journal goes
};

}  // namespace flowtally::app
