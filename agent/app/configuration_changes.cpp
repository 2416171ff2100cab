// This file is the part of the configuration that is our own: sinks that are added over the API, and the file
// when it is read again.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <unistd.h>

#include "app/configuration.hpp"
#include "app/run_settings.hpp"
#include "base/clock.hpp"
#include "config/kept_streams.hpp"
#include "config/print.hpp"
#include "query/filter.hpp"
#include "sink/batch_maker.hpp"
#include "sink/dead_letters.hpp"
#include "sink/receiver.hpp"

namespace flowtally::app {
namespace {

using api::Caller;
using base::Error;
using base::ErrorCode;
using base::fail;

/// Of a test or a replay, which somebody waits for.
constexpr std::chrono::milliseconds kAskTimeout{15'000};

/// Whether the agent that runs can go on with it: everything but the sinks, and who may change them.
bool same_agent(const RunOptions& left, const RunOptions& right) {
  config::Settings one = settings_of(left);
  config::Settings other = settings_of(right);
  one.sinks.clear();
  other.sinks.clear();
  one.api.admin_group = other.api.admin_group;
  return one == other;
}

std::string settings_text(const RunOptions& options) { return config::settings_json(settings_of(options)); }

AuditChange sink_change(const std::string& name, std::string old_json, std::string new_json) {
  return {.property = "LOGSTREAM_ENDPOINT",
          .action = old_json.empty()   ? "CREATE"
                    : new_json.empty() ? "DELETE"
                                       : "UPDATE",
          .target_type = "LOGSTREAM",
          .target_name = name,
          .old_json = std::move(old_json),
          .new_json = std::move(new_json)};
}

}  // namespace

base::Status check_filter(const std::string& text) {
  auto filter = query::Filter::parse(text);
  if (!filter) return fail(std::move(filter.error()));
  return {};
}

bool Configuration::in_file(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  return std::ranges::find(options_.sinks, name, &model::SinkSettings::name) != options_.sinks.end();
}

std::optional<model::SinkSettings> Configuration::find_sink(const std::string& name) const {
  for (model::SinkSettings& sink : all_sinks()) {
    if (sink.name == name) return std::move(sink);
  }
  return std::nullopt;
}

base::Status Configuration::keep_added() const {
  std::vector<model::SinkSettings> sinks;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [name, sink] : added_) sinks.push_back(sink);
  }
  return config::save_streams(added_path_, sinks);
}

base::Status Configuration::put_sink(const std::string& name, std::string_view text, const Caller& caller) {
  const std::scoped_lock one(changing_);
  std::optional<model::SinkSettings> before;
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = added_.find(name); found != added_.end()) before = found->second;
  }
  AuditChange change = sink_change(name, before ? config::sink_json(*before) : std::string(), {});
  if (in_file(name)) {
    return fail(
        refuse(std::move(change), caller,
               Error(ErrorCode::kInvalidArgument, fmt::format("{} is in the configuration file", name))
                   .advise("Change it there and reload, or give this one another name")));
  }
  const auto sink =
      config::read_sink(name, {.name = name, .text = std::string(text)}, config::sent_rules(check_filter));
  if (!sink) return fail(refuse(std::move(change), caller, sink.error().error()));
  change = sink_change(name, change.old_json, config::sink_json(*sink));
  // Whoever may write files as we do is root already.
  if (std::holds_alternative<model::FileSettings>(sink->receiver) && !(caller.local && caller.uid == 0)) {
    return fail(refuse(std::move(change), caller,
                       Error(ErrorCode::kInvalidArgument, "a file can be written to for root only")
                           .advise("Put the sink into the configuration file")));
  }
  for (const model::LogType log_type : sink->logs) {
    if (auto receiver = sink::make_receiver(*sink, log_type); !receiver)
      return fail(refuse(std::move(change), caller, std::move(receiver.error())));
  }
  const auto put = [this, &name](const std::optional<model::SinkSettings>& settings) {
    const std::scoped_lock lock(mutex_);
    if (settings) {
      added_.insert_or_assign(name, *settings);
    } else {
      added_.erase(name);
    }
  };
  put(*sink);
  if (auto kept = keep_added(); !kept) {
    put(before);
    return fail(refuse(std::move(change), caller, std::move(kept.error())));
  }
  apply();
  note(change, caller);
  return {};
}

base::Status Configuration::delete_sink(const std::string& name, const Caller& caller) {
  const std::scoped_lock one(changing_);
  std::optional<model::SinkSettings> before;
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = added_.find(name); found != added_.end()) before = found->second;
  }
  if (!before) {
    if (in_file(name)) {
      return fail(Error(ErrorCode::kInvalidArgument, fmt::format("{} is in the configuration file", name))
                      .advise("Take it out there and reload"));
    }
    return fail(Error(ErrorCode::kNotFound, fmt::format("there is no stream {} that was added here", name)));
  }
  AuditChange change = sink_change(name, config::sink_json(*before), {});
  {
    const std::scoped_lock lock(mutex_);
    added_.erase(name);
  }
  if (auto kept = keep_added(); !kept) {
    const std::scoped_lock lock(mutex_);
    added_.insert_or_assign(name, *before);
    return fail(refuse(std::move(change), caller, std::move(kept.error())));
  }
  apply();
  if (auto forgotten = streams_->forget(name); !forgotten) logger_.warn("{}", forgotten.error().text());
  note(change, caller);
  return {};
}

base::Result<std::string> Configuration::test_sink(const std::string& name, const Caller& caller) {
  static_cast<void>(caller);  // it changes nothing, so it is no event
  auto sink = find_sink(name);
  if (!sink) return fail(Error(ErrorCode::kNotFound, fmt::format("there is no stream {}", name)));
  if (std::holds_alternative<model::FileSettings>(sink->receiver) && sink->enabled)
    return std::string("its stream has the file open: `flowtally stream status` tells how that goes");
  sink->retry.request_timeout = std::min(sink->retry.request_timeout, kAskTimeout);
  std::string said;
  for (const model::LogType log_type : sink->logs) {
    auto receiver = sink::make_receiver(*sink, log_type);
    auto maker = sink::BatchMaker::make(*sink, log_type);
    if (!receiver) return fail(std::move(receiver.error()));
    if (!maker) return fail(std::move(maker.error()));
    sink::Batch batch{.log_type = log_type};
    maker->add_test(base::now().wall_ns, batch);
    const sink::Outcome outcome = (*receiver)->send(batch, 0, batch.items.size(), std::stop_token{});
    const bool delivered =
        outcome.verdict == sink::Verdict::kDelivered &&
        std::ranges::all_of(outcome.items, [](sink::Verdict verdict) {
          return verdict == sink::Verdict::kDelivered || verdict == sink::Verdict::kAlreadyThere;
        });
    const std::string reason = !outcome.reason.empty()    ? outcome.reason
                               : !outcome.reasons.empty() ? outcome.reasons.front()
                                                          : std::string("no reason was given");
    said += fmt::format("{}{}: {}", said.empty() ? "" : "\n", model::log_type_name(log_type),
                        delivered ? std::string("delivered, a record of the node flowtally-test")
                                  : "not delivered: " + reason);
  }
  return said;
}

base::Result<api::Replayed> Configuration::replay(const std::string& name, const Caller& caller) {
  static_cast<void>(caller);
  const std::scoped_lock one(changing_);
  auto sink = find_sink(name);
  if (!sink) return fail(Error(ErrorCode::kNotFound, fmt::format("there is no stream {}", name)));
  sink->retry.request_timeout = std::min(sink->retry.request_timeout, kAskTimeout);
  std::string state_dir;
  {
    const std::scoped_lock lock(mutex_);
    state_dir = options_.state_dir;
  }
  api::Replayed all;
  for (const model::LogType log_type : sink->logs) {
    auto receiver = sink::make_receiver(*sink, log_type);
    if (!receiver) return fail(std::move(receiver.error()));
    sink::DeadLetters letters(sink::sink_folder(state_dir, name), name);
    const auto replayed = sink::replay(letters, **receiver, log_type, std::stop_token{});
    if (!replayed) return fail(replayed.error());
    all.delivered += replayed->delivered;
    all.refused += replayed->refused;
  }
  return all;
}

base::Status Configuration::reload(const Caller& caller) {
  const std::scoped_lock one(changing_);
  RunOptions now;
  {
    const std::scoped_lock lock(mutex_);
    now = options_;
  }
  if (!now.reload) {
    return fail(Error(ErrorCode::kUnsupported, "the agent was started without a configuration file")
                    .advise("Start it with --config FILE"));
  }
  AuditChange change{.property = "CONFIGURATION", .action = "UPDATE", .old_json = settings_text(now)};
  auto read = now.reload();
  if (!read) return fail(refuse(std::move(change), caller, read.error().error()));
  change.new_json = settings_text(*read);
  {
    const std::scoped_lock lock(mutex_);
    pending_ = std::move(*read);
  }
  note(change, caller);
  ::kill(::getpid(), SIGHUP);
  return {};
}

bool Configuration::take_reload() {
  const std::scoped_lock one(changing_);
  RunOptions now;
  std::optional<RunOptions> read;
  {
    const std::scoped_lock lock(mutex_);
    now = options_;
    read = std::exchange(pending_, std::nullopt);
  }
  if (!read) {  // a SIGHUP of somebody's, not that of reload()
    AuditChange change{.property = "CONFIGURATION", .action = "UPDATE", .old_json = settings_text(now)};
    auto loaded = now.reload();
    if (!loaded) {
      for (const std::string& line : loaded.error().lines) logger_.error("{}", line);
      logger_.error("the configuration stays as it is");
      change.error = loaded.error().error().text();
      audit_.note(change);
      return false;
    }
    change.new_json = settings_text(*loaded);
    audit_.note(change);
    read = std::move(*loaded);
  }
  if (!same_agent(now, *read)) {
    logger_.info("the configuration has changed; the kernel counts on while the agent begins anew");
    next_ = std::move(*read);
    return true;
  }
  {
    const std::scoped_lock lock(mutex_);
    options_ = std::move(*read);
  }
  apply();
  logger_.info("the configuration was read again");
  return false;
}

std::string Configuration::configuration() {
  RunOptions options;
  {
    const std::scoped_lock lock(mutex_);
    options = options_;
  }
  options.sinks = all_sinks();
  return settings_text(options);
}

}  // namespace flowtally::app
