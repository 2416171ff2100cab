#include "app/configuration.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "app/log_stream_sink.hpp"
#include "app/record_journal.hpp"
#include "base/clock.hpp"
#include "config/kept_streams.hpp"
#include "journal/file_system.hpp"
#include "sink/receiver.hpp"

namespace flowtally::app {
namespace {

using api::Caller;
using api::LogStream;
using api::LogType;
using base::Error;
using base::ErrorCode;
using base::fail;

constexpr const char* kAddedFile = "streams.yaml";
constexpr const char* kStreamsFile = "log-streams.json";
constexpr std::size_t kStreamsFileBytesMax = std::size_t{512} << 10U;

/// Members by name, or by a number where the host has no such group in its database, as in a container.
bool in_group(const Caller& caller, const std::string& group) {
  std::array<char, 16384> buffer{};
  struct group entry{};
  struct group* found = nullptr;
  gid_t gid = 0;
  if (::getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    gid = found->gr_gid;
  } else if (std::ranges::all_of(group, [](char c) { return c >= '0' && c <= '9'; }) && !group.empty()) {
    gid = static_cast<gid_t>(std::strtoul(group.c_str(), nullptr, 10));
  } else {
    return false;
  }
  if (caller.gid == gid) return true;
  std::array<char, 4096> user_buffer{};
  passwd user{};
  passwd* known = nullptr;
  if (::getpwuid_r(caller.uid, &user, user_buffer.data(), user_buffer.size(), &known) != 0 ||
      known == nullptr)
    return false;
  std::array<gid_t, 256> groups{};
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(known->pw_name, known->pw_gid, groups.data(), &count) < 0) return false;
  return std::find(groups.begin(), groups.begin() + count, gid) != groups.begin() + count;
}

AuditChange stream_change(LogType type, std::string old_json, std::string new_json) {
  return {.property = "LOGSTREAM_ENDPOINT",
          .action = old_json.empty()   ? "CREATE"
                    : new_json.empty() ? "DELETE"
                                       : "UPDATE",
          .target_type = "LOGSTREAM",
          .target_name = api::api_stream_name(type),
          .old_json = std::move(old_json),
          .new_json = std::move(new_json)};
}

}  // namespace

Configuration::Configuration(RunOptions options, AuditLog& audit, std::function<std::uint64_t()> network_end,
                             spdlog::logger& logger)
    : audit_(audit),
      network_end_(std::move(network_end)),
      logger_(logger),
      added_path_(fmt::format("{}/{}", options.state_dir, kAddedFile)),
      streams_path_(fmt::format("{}/{}", options.state_dir, kStreamsFile)),
      options_(std::move(options)) {}

base::Result<std::unique_ptr<Configuration>> Configuration::open(RunOptions options, AuditLog& audit,
                                                                 std::function<std::uint64_t()> network_end,
                                                                 spdlog::logger& logger) {
  std::unique_ptr<Configuration> made(
      new Configuration(std::move(options), audit, std::move(network_end), logger));
  if (auto read = made->read_kept(); !read) return fail(std::move(read.error()));
  const std::string state_dir = made->options_.state_dir;
  made->streams_ = std::make_unique<sink::Streams>(sink::StreamsOptions{
      .state_dir = state_dir,
      .journal =
          [state_dir](LogType type) {
            return type == LogType::kNetwork ? network_journal_in(state_dir)
                                             : configuration_journal_in(state_dir);
          },
      .changed =
          [&logger](const model::SinkStatus& status) {
            const std::string_view log = model::log_type_name(status.log_type);
            switch (status.state) {
              case model::SinkState::kMisconfigured:
                logger.error("stream {} ({}): {}; everything is kept, and tried again now and then",
                             status.sink, log, status.failure);
                break;
              case model::SinkState::kRetrying:
                logger.warn("stream {} ({}): {}; trying again", status.sink, log, status.failure);
                break;
              default: logger.info("stream {} ({}) goes on", status.sink, log);
            }
          }});
  made->apply();
  return made;
}

base::Status Configuration::read_kept() {
  auto added = config::load_streams(added_path_, check_filter);
  if (!added) return fail(added.error().error());
  for (model::SinkSettings& sink : *added) {
    std::string name = sink.name;
    added_.insert_or_assign(std::move(name), std::move(sink));
  }
  const auto text = journal::read_file(journal::posix_file_system(), streams_path_, kStreamsFileBytesMax);
  if (!text && text.error().code() == ErrorCode::kNotFound) return {};
  if (!text) return fail(text.error());
  // A line for each type of log: "network {…}".
  for (const LogType type : {LogType::kNetwork, LogType::kConfiguration}) {
    const std::string begin = fmt::format("{} ", model::log_type_name(type));
    const std::size_t at = text->starts_with(begin) ? 0 : text->find('\n' + begin);
    if (at == std::string::npos) continue;
    const std::size_t from = text->find('{', at);
    if (from == std::string::npos) continue;
    auto stream = LogStream::parse(std::string_view(*text).substr(from, text->find('\n', from) - from));
    if (!stream) return fail(std::move(stream.error()).during("read " + streams_path_));
    log_streams_.insert_or_assign(type, std::move(*stream));
  }
  return {};
}

/// The sinks that are in force now.
std::vector<model::SinkSettings> Configuration::all_sinks() const {
  const std::scoped_lock lock(mutex_);
  std::vector<model::SinkSettings> all = options_.sinks;
  for (const auto& [name, sink] : added_) {
    if (std::ranges::find(all, name, &model::SinkSettings::name) == all.end()) all.push_back(sink);
  }
  for (const auto& [type, stream] : log_streams_) {
    if (auto sink = sink_of(stream, type)) all.push_back(std::move(*sink));
  }
  return all;
}

void Configuration::apply() {
  {
    const std::scoped_lock lock(mutex_);
    unusable_.clear();
    for (const auto& [type, stream] : log_streams_) {
      const auto sink = sink_of(stream, type);
      if (sink) continue;
      unusable_.push_back({.sink = api::api_stream_name(type),
                           .kind = stream.text("destinationType"),
                           .log_type = type,
                           .state = model::SinkState::kMisconfigured,
                           .failing_since = base::now(),
                           .failure = sink.error().text()});
    }
  }
  streams_->apply(all_sinks());
}

bool Configuration::may_change(const Caller& caller) const {
  if (!caller.local) return true;  // whoever has the token
  if (caller.uid == 0 || caller.uid == ::geteuid()) return true;
  std::string group;
  {
    const std::scoped_lock lock(mutex_);
    group = options_.admin_group;
  }
  return !group.empty() && in_group(caller, group);
}

void Configuration::note(const AuditChange& change, const Caller& caller) {
  if (caller.local) {
    audit_.note(change, caller.uid);
  } else {
    audit_.note_token(change);
  }
}

void Configuration::refused(const Caller& caller, std::string_view what) {
  note({.property = "CONFIGURATION", .action = "UPDATE", .error = std::string(what)}, caller);
}

Error Configuration::refuse(AuditChange change, const Caller& caller, Error error) {
  change.error = error.text();
  note(change, caller);
  return error;
}

std::optional<LogStream> Configuration::stream(LogType type) {
  const std::scoped_lock lock(mutex_);
  const auto found = log_streams_.find(type);
  if (found == log_streams_.end()) return std::nullopt;
  return found->second;
}

base::Status Configuration::keep_streams() const {
  std::string text;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [type, stream] : log_streams_)
      text += fmt::format("{} {}\n", model::log_type_name(type), stream.json(LogStream::Secrets::kShown, {}));
  }
  return config::replace_private_file(streams_path_, text);
}

base::Status Configuration::put_stream(LogType type, LogStream stream, const Caller& caller) {
  const std::scoped_lock one(changing_);
  const auto before = this->stream(type);
  const std::string old_json = before ? before->json(LogStream::Secrets::kMasked, {}) : std::string();
  const AuditChange change = stream_change(type, old_json, stream.json(LogStream::Secrets::kMasked, {}));
  // What can never be sent is kept and given back all the same; what is wrong is refused.
  if (const auto sink = sink_of(stream, type)) {
    if (auto receiver = sink::make_receiver(*sink, type); !receiver)
      return fail(refuse(change, caller, std::move(receiver.error())));
  }
  {
    const std::scoped_lock lock(mutex_);
    log_streams_.insert_or_assign(type, std::move(stream));
  }
  if (auto kept = keep_streams(); !kept) {
    const std::scoped_lock lock(mutex_);
    if (before) {
      log_streams_.insert_or_assign(type, *before);
    } else {
      log_streams_.erase(type);
    }
    return fail(refuse(change, caller, std::move(kept.error())));
  }
  apply();
  note(change, caller);
  return {};
}

base::Status Configuration::delete_stream(LogType type, const Caller& caller) {
  const std::scoped_lock one(changing_);
  const auto before = this->stream(type);
  if (!before) return fail(Error(ErrorCode::kNotFound, "no log stream is configured"));
  const AuditChange change = stream_change(type, before->json(LogStream::Secrets::kMasked, {}), {});
  {
    const std::scoped_lock lock(mutex_);
    log_streams_.erase(type);
  }
  if (auto kept = keep_streams(); !kept) {
    const std::scoped_lock lock(mutex_);
    log_streams_.insert_or_assign(type, *before);
    return fail(refuse(change, caller, std::move(kept.error())));
  }
  apply();
  // A stream that is made anew begins anew.
  if (auto forgotten = streams_->forget(api::api_stream_name(type)); !forgotten)
    logger_.warn("{}", forgotten.error().text());
  note(change, caller);
  return {};
}

std::vector<model::SinkStatus> Configuration::sinks() {
  std::vector<model::SinkStatus> all = streams_->status();
  const std::scoped_lock lock(mutex_);
  all.insert(all.end(), unusable_.begin(), unusable_.end());
  for (model::SinkStatus& sink : all) {
    const std::uint64_t end = sink.log_type == LogType::kNetwork ? network_end_() : audit_.state().next;
    sink.behind_records = end > sink.next ? end - sink.next : 0;
  }
  return all;
}

}  // namespace flowtally::app
