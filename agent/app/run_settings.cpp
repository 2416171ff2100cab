#include "app/run_settings.hpp"

#include <optional>
#include <string>

namespace flowtally::app {
namespace {

template <class From, class To>
void take(const std::optional<From>& from, To& to) {
  if (from) to = *from;
}

journal::SyncPolicy policy_of(config::Sync sync) {
  switch (sync) {
    case config::Sync::kSecond: return journal::SyncPolicy::kInterval;
    case config::Sync::kNever: return journal::SyncPolicy::kNever;
    case config::Sync::kWindow: break;
  }
  return journal::SyncPolicy::kEachBatch;
}

config::Sync sync_of(journal::SyncPolicy policy) {
  switch (policy) {
    case journal::SyncPolicy::kInterval: return config::Sync::kSecond;
    case journal::SyncPolicy::kNever: return config::Sync::kNever;
    case journal::SyncPolicy::kEachBatch: break;
  }
  return config::Sync::kWindow;
}

capture::AttachMode mode_of(config::Attach attach) {
  switch (attach) {
    case config::Attach::kTcx: return capture::AttachMode::kTcx;
    case config::Attach::kClsact: return capture::AttachMode::kClsact;
    case config::Attach::kAuto: break;
  }
  return capture::AttachMode::kAuto;
}

config::Attach attach_of(capture::AttachMode mode) {
  switch (mode) {
    case capture::AttachMode::kTcx: return config::Attach::kTcx;
    case capture::AttachMode::kClsact: return config::Attach::kClsact;
    case capture::AttachMode::kAuto: break;
  }
  return config::Attach::kAuto;
}

std::optional<std::string> unless_empty(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}

}  // namespace

void put(const config::Settings& settings, RunOptions& options) {
  const config::CaptureSettings& capture = settings.capture;
  take(capture.interface, options.interface);
  take(capture.interval, options.interval);
  take(capture.flows_max, options.flows_max);
  if (capture.attach) options.attach = mode_of(*capture.attach);
  take(capture.exclude, options.exclude);
  take(capture.bpffs, options.bpffs);
  take(capture.underlay, options.physical);
  take(capture.underlay_interfaces, options.underlay);
  take(settings.records.node_id, options.node_id);
  take(settings.records.accounting, options.accounting);
  take(settings.records.log_exit_flows, options.log_exit_flows);
  take(settings.records.output, options.output);
  take(settings.identity.tailscaled_socket, options.tailscaled_socket);
  take(settings.identity.file, options.identity_file);
  take(settings.journal.enabled, options.journal);
  take(settings.journal.state_dir, options.state_dir);
  take(settings.journal.retain_bytes, options.retained_bytes);
  if (settings.journal.retain_age) options.retained_age_ms = settings.journal.retain_age->count();
  if (settings.journal.fsync) options.sync = policy_of(*settings.journal.fsync);
  take(settings.api.socket, options.socket);
  take(settings.api.socket_group, options.socket_group);
  take(settings.api.admin_group, options.admin_group);
  take(settings.api.listen, options.listen);
  take(settings.api.token_file, options.token_file);
  options.sinks = settings.sinks;
}

config::Settings settings_of(const RunOptions& options) {
  config::Settings settings;
  settings.capture = {.interface = options.interface,
                      .interval = options.interval,
                      .flows_max = options.flows_max,
                      .attach = attach_of(options.attach),
                      .exclude = options.exclude,
                      .bpffs = options.bpffs,
                      .underlay = options.physical,
                      .underlay_interfaces = options.underlay};
  settings.records = {.node_id = unless_empty(options.node_id),
                      .accounting = options.accounting,
                      .log_exit_flows = options.log_exit_flows,
                      .output = options.output};
  settings.identity = {.tailscaled_socket = options.tailscaled_socket,
                       .file = unless_empty(options.identity_file)};
  settings.journal = {.enabled = options.journal,
                      .state_dir = options.state_dir,
                      .retain_bytes = options.retained_bytes,
                      .fsync = sync_of(options.sync)};
  if (options.retained_age_ms > 0)
    settings.journal.retain_age = std::chrono::milliseconds(options.retained_age_ms);
  settings.api = {.socket = options.socket,
                  .socket_group = unless_empty(options.socket_group),
                  .admin_group = unless_empty(options.admin_group),
                  .listen = unless_empty(options.listen),
                  .token_file = unless_empty(options.token_file)};
  settings.sinks = options.sinks;
  return settings;
}

}  // namespace flowtally::app
