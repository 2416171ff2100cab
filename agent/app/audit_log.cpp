#include "app/audit_log.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include "app/journal_upkeep.hpp"
#include "app/kept_line.hpp"
#include "app/record_journal.hpp"
#include "base/clock.hpp"
#include "record/audit_text.hpp"

namespace flowtally::app {
namespace {

/// 128 bits: events of one change have it, others do not.
std::string new_group_id() {
  std::random_device random;
  std::string id;
  for (int word = 0; word < 4; ++word) id += fmt::format("{:08x}", random());
  return id;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string();
}

/// The name as the host's user database has it, or none: a container need not know its host's users.
std::string login_of(uid_t uid) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return {};
  return found->pw_name;
}

/// Of a line whose index was lost. Nothing asks for an event by its key.
std::optional<journal::Description> describe(std::string_view line) {
  const auto logged = record::audit_logged(line);
  if (!logged) return std::nullopt;
  return journal::Description{.start_ns = *logged, .end_ns = *logged};
}

std::string version_path(const std::string& state_dir) { return state_dir + "/version"; }

}  // namespace

AuditLog::AuditLog(journal::Journal journal, std::string directory, std::string state_dir,
                   std::string node_id, spdlog::logger& logger)
    : directory_(std::move(directory)),
      state_dir_(std::move(state_dir)),
      node_id_(std::move(node_id)),
      host_name_(host_name()),
      logger_(logger),
      journal_(std::move(journal)) {}

base::Result<std::unique_ptr<AuditLog>> AuditLog::open(const std::string& state_dir, std::string node_id,
                                                       spdlog::logger& logger) {
  const std::string directory = configuration_journal_in(state_dir);
  auto opened = journal::Journal::open(
      {.directory = directory, .retained_bytes_max = kAuditBytesMax, .describe = describe});
  if (!opened) return base::fail(std::move(opened.error()).during("open the audit log"));
  tell_recovery(opened->recovery(), directory, logger);
  std::unique_ptr<AuditLog> log(
      new AuditLog(std::move(*opened), directory, state_dir, std::move(node_id), logger));
  auto keeper = keep(log->journal_, directory, logger);
  if (!keeper) return base::fail(std::move(keeper.error()));
  log->keeper_ = std::move(*keeper);
  return log;
}

void AuditLog::note(const AuditChange& change) {
  write(change, {.type = "NODE", .id = node_id_, .display_name = "flowtally"}, "NODE");
}

void AuditLog::note(const AuditChange& change, uid_t caller) {
  const std::string login = login_of(caller);
  write(change, {.type = "USER", .id = fmt::format("{}", caller), .login_name = login, .display_name = login},
        "CONFIG_API");
}

void AuditLog::note_token(const AuditChange& change) {
  write(change, {.type = "USER", .id = "token", .display_name = "whoever has the token"}, "CONFIG_API");
}

void AuditLog::write(const AuditChange& change, model::AuditActor actor, std::string origin) {
  model::AuditEvent event{.time_ns = base::now().wall_ns,
                          .group_id = new_group_id(),
                          .origin = std::move(origin),
                          .actor = std::move(actor),
                          .target = {.id = node_id_,
                                     .name = change.target_name.empty() ? host_name_ : change.target_name,
                                     .type = change.target_type,
                                     .property = change.property},
                          .action = change.action,
                          .old_json = change.old_json,
                          .new_json = change.new_json,
                          .details = change.details,
                          .error = change.error};
  const std::scoped_lock lock(mutex_);
  pending_.push_back(std::move(event));
  // As records, events are never logged before one that was.
  logged_ns_ = std::max(logged_ns_, base::now().wall_ns);
  std::vector<std::string> lines;
  std::vector<journal::Entry> batch;
  lines.reserve(pending_.size());
  for (const model::AuditEvent& waiting : pending_) {
    record::append_audit_event(waiting, logged_ns_, lines.emplace_back());
    batch.push_back({.line = lines.back(), .start_ns = waiting.time_ns, .end_ns = logged_ns_});
  }
  const auto appended = journal_.append(batch);
  if (appended) {
    if (std::exchange(failing_, false)) logger_.info("the audit log is written again");
    pending_.clear();
    keeper_->poke();
    return;
  }
  if (!std::exchange(failing_, true)) {
    logger_.error("{}; events wait for the next one that can be written", appended.error().text());
  }
  while (pending_.size() > kAuditPendingMax) {
    pending_.pop_front();
    ++dropped_;
  }
}

std::uint64_t AuditLog::dropped() const {
  const std::scoped_lock lock(mutex_);
  return dropped_;
}

std::string AuditLog::exchange_version(const std::string& version) {
  const std::string path = version_path(state_dir_);
  std::string before = first_line_of(path);
  if (before == version) return before;
  // A crash leaves the old version or the new one; the worst is that an upgrade is told of twice.
  if (auto written = replace_line(path, version); !written) logger_.warn("{}", written.error().text());
  return before;
}

}  // namespace flowtally::app
