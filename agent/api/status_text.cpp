#include "api/status_text.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "api/json_text.hpp"
#include "api/reasons.hpp"
#include "api/stream_routes.hpp"

namespace flowtally::api {
namespace {

using model::AgentStatus;

void add_counters(std::string_view name, const model::Counters& counters, JsonText& json) {
  json.begin(name).number("txPkts", counters.tx_packets).number("txBytes", counters.tx_bytes);
  json.number("rxPkts", counters.rx_packets).number("rxBytes", counters.rx_bytes).end();
}

template <std::size_t kCount>
void add_reasons(std::string_view name, const std::array<std::uint64_t, kCount>& counts,
                 const std::array<std::string_view, kCount>& names, JsonText& json) {
  json.begin(name);
  for (std::size_t reason = 0; reason < kCount; ++reason) {
    if (!names[reason].empty()) json.number(names[reason], counts[reason]);
  }
  json.end();
}

void add_moment(std::string_view name, const std::optional<base::Moment>& moment, JsonText& json) {
  if (moment) json.time(name, moment->wall_ns);
}

void add_failing(const std::optional<base::Moment>& since, const std::string& failure, JsonText& json) {
  json.flag("failing", since.has_value());
  add_moment("failingSince", since, json);
  if (!failure.empty()) json.text("lastFailure", failure);
}

void add_attachments(const AgentStatus& status, JsonText& json) {
  json.begin_list("interfaces");
  for (const model::AttachmentStatus& device : status.attachments) {
    json.begin().text("name", device.interface).flag("attached", device.attached);
    if (device.ifindex != 0) json.number("ifindex", device.ifindex);
    if (!device.mode.empty()) json.text("mode", device.mode);
    add_moment("attachedSince", device.attached_since, json);
    if (!device.failure.empty()) json.text("failure", device.failure);
    json.flag("dropsTakenOff", device.drops_taken_off);
    json.number("gaps", device.gaps).seconds("uncountedSeconds", device.uncounted_ns).end();
  }
  json.end_list();
}

void add_sums(const AgentStatus& status, JsonText& json) {
  const model::WindowSums& sums = status.sums;
  json.begin("windows").number("count", sums.windows).number("unbalanced", sums.windows_unbalanced);
  json.number("pressureDrains", sums.pressure_drains).number("flows", sums.flows).end();
  json.begin("traffic");
  add_counters("totals", sums.totals.hook, json);
  add_counters("coarse", sums.coarse, json);
  add_counters("rest", sums.totals.rest, json);
  add_counters("unparsed", sums.totals.unparsed, json);
  add_counters("excluded", sums.totals.excluded, json);
  add_counters("dropped", sums.totals.dropped, json);
  add_counters("droppedLate", sums.totals.dropped_late, json);
  json.number("deviceDroppedPkts", sums.totals.device_dropped);
  add_reasons("unparsedPkts", sums.totals.unparsed_packets, kUnparsedNames, json);
  add_reasons("excludedPkts", sums.totals.excluded_packets, kExcludedNames, json);
  add_reasons("flowInsertFailures", sums.totals.flow_insert_failures, kInsertFailureNames, json);
  add_reasons("coarseInsertFailures", sums.totals.coarse_insert_failures, kInsertFailureNames, json);
  json.end();
  if (!sums.underlay.counted) return;
  json.begin("underlay");
  add_counters("totals", sums.underlay.hook, json);
  add_counters("unmapped", sums.underlay.unmapped, json);
  add_counters("rest", sums.underlay.rest, json);
  add_counters("disco", sums.underlay.disco, json);
  add_counters("stun", sums.underlay.stun, json);
  add_counters("other", sums.underlay.other, json);
  add_counters("tcp", sums.underlay.tcp, json);
  json.end();
}

void add_drain(const AgentStatus& status, JsonText& json) {
  json.begin("table").number("capacity4", status.table.capacity4).number("capacity6", status.table.capacity6);
  json.number("flowsMax", status.table.flows_max).number("flows", status.table.flows_latest).end();
  const model::DrainStatus& drain = status.drain;
  json.begin("drain").seconds("intervalSeconds", drain.interval_ns);
  add_moment("triedAt", drain.tried_at, json);
  add_moment("doneAt", drain.done_at, json);
  json.seconds("durationSeconds", drain.duration_ns);
  add_moment("windowEnd", drain.window_end, json);
  if (!drain.failure.empty()) json.text("failure", drain.failure);
  json.end();
}

void add_journals(const AgentStatus& status, JsonText& json) {
  json.begin_list("journals");
  for (const model::JournalStatus& journal : status.journals) {
    json.begin().text("logType", journal.log_type);
    json.number("firstSequence", journal.first).number("nextSequence", journal.next);
    json.number("bytes", journal.bytes).number("segments", journal.segments);
    json.number("segmentsWaiting", journal.segments_waiting);
    json.begin("removed").number("records", journal.removed_records).number("bytes", journal.removed_bytes);
    json.number("segments", journal.removed_segments).end();
    json.number("failures", journal.failures);
    add_failing(journal.failing_since, journal.failure, json);
    json.end();
  }
  json.end_list();
  json.begin_list("streams");
  for (const model::SinkStatus& sink : status.sinks) json.raw_element(sink_json(sink));
  json.end_list();
  if (!status.output.wanted) return;
  json.begin("output").number("failures", status.output.failures);
  add_failing(status.output.failing_since, status.output.failure, json);
  json.end();
}

void add_identity(const AgentStatus& status, JsonText& json) {
  const model::IdentityStatus& identity = status.identity;
  json.begin("identity");
  json.text("source", identity.source == model::Tailnet::Source::kTailscaled ? "tailscaled"
                      : identity.source == model::Tailnet::Source::kFile     ? "file"
                                                                             : "none");
  json.flag("reachable", identity.reachable).flag("folderRemoved", identity.folder_removed);
  if (!identity.backend_state.empty()) json.text("backendState", identity.backend_state);
  if (!identity.tailscaled_version.empty()) json.text("version", identity.tailscaled_version);
  json.flag("hasTun", identity.has_tun).flag("busOpen", identity.bus_open);
  if (identity.read_boot_ns != 0) json.seconds("ageSeconds", status.now.boot_ns - identity.read_boot_ns);
  json.number("peers", identity.peers).flag("prefsKnown", identity.prefs_known);
  json.number("reads", identity.reads).number("failures", identity.failures);
  json.number("forcedRefreshes", identity.forced_refreshes).number("busMessages", identity.bus_messages);
  json.number("eventsLost", identity.events_lost).number("peersLeftOut", identity.peers_left_out);
  json.number("rememberedEndpoints", identity.remembered_endpoints);
  if (!identity.last_error.empty()) json.text("lastError", identity.last_error);
  json.end();
}

Answer judged(unsigned code, std::string_view message) {
  Answer answer = error_answer(code, message);
  answer.headers.emplace_back("Cache-Control", "no-store");
  return answer;
}

}  // namespace

std::string status_json(const AgentStatus& status) {
  JsonText json;
  json.begin().text("version", status.version).text("nodeId", status.node_id).text("bootId", status.boot_id);
  json.time("now", status.now.wall_ns).time("started", status.started.wall_ns);
  json.seconds("uptimeSeconds", status.now.boot_ns - status.started.boot_ns).number("epoch", status.epoch);
  add_attachments(status, json);
  json.begin("adoption").flag("adopted", status.adoption.adopted);
  json.number("epochs", status.adoption.epochs_adopted).end();
  add_sums(status, json);
  add_drain(status, json);
  add_journals(status, json);
  add_identity(status, json);
  json.end();
  return json.take() + "\n";
}

Answer health(const AgentStatus& status) {
  const std::int64_t late_after = std::max(kLateAfterMinNs, kLateAfterIntervals * status.drain.interval_ns);
  const base::Moment since = status.drain.tried_at.value_or(status.started);
  const std::int64_t ago = status.now.boot_ns - since.boot_ns;
  if (ago <= late_after && status.identity.folder_removed) {
    return judged(503,
                  "the folder of tailscaled's socket that is mounted here was removed and made anew: "
                  "start this container again");
  }
  if (ago <= late_after) return judged(200, "ok");
  return judged(503, fmt::format("nothing was drained for {} s", ago / 1'000'000'000));
}

Answer readiness(const AgentStatus& status) {
  for (const model::JournalStatus& journal : status.journals) {
    if (!journal.failing_since) continue;
    return judged(503,
                  fmt::format("the {} journal cannot be written: {}", journal.log_type, journal.failure));
  }
  for (const model::AttachmentStatus& device : status.attachments) {
    if (device.attached || device.failure.empty()) continue;
    return judged(503, fmt::format("{} is not counted: {}", device.interface, device.failure));
  }
  const bool waiting = std::ranges::any_of(status.attachments, [](const auto& one) { return !one.attached; });
  return judged(200, waiting ? "ready, waiting for the interface" : "ready");
}

}  // namespace flowtally::api
