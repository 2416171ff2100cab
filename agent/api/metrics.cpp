#include "api/metrics.hpp"

#include <initializer_list>
#include <utility>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>

#include "api/reasons.hpp"

namespace flowtally::api {
namespace {

using model::AgentStatus;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<ClientMetric::Label>;

/// Families as they are added; a sample belongs to the family before it.
class Page {
 public:
  Page& counter(std::string name, std::string help) {
    families_.push_back({std::move(name), std::move(help), MetricType::Counter, {}});
    return *this;
  }
  Page& gauge(std::string name, std::string help) {
    families_.push_back({std::move(name), std::move(help), MetricType::Gauge, {}});
    return *this;
  }
  template <class Value>
  Page& sample(Value value, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (families_.back().type == MetricType::Counter) {
      metric.counter.value = static_cast<double>(value);
    } else {
      metric.gauge.value = static_cast<double>(value);
    }
    families_.back().metric.push_back(std::move(metric));
    return *this;
  }
  [[nodiscard]] std::vector<MetricFamily> take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

double seconds(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }

using NamedCounters = std::pair<std::string, const model::Counters*>;

/// Packets and bytes by direction, of one sum or of several that are told apart by `label`.
void add_counters(const std::string& name, const std::string& what, const std::string& label,
                  std::initializer_list<NamedCounters> sums, Page& page) {
  const auto with = [&](const std::string& value, std::string direction) {
    Labels labels{{"direction", std::move(direction)}};
    if (!label.empty()) labels.push_back({label, value});
    return labels;
  };
  page.counter(name + "_packets_total", "Packets " + what + ".");
  for (const auto& [value, sum] : sums) {
    page.sample(sum->tx_packets, with(value, "tx")).sample(sum->rx_packets, with(value, "rx"));
  }
  page.counter(name + "_bytes_total", "Bytes " + what + ".");
  for (const auto& [value, sum] : sums) {
    page.sample(sum->tx_bytes, with(value, "tx")).sample(sum->rx_bytes, with(value, "rx"));
  }
}

template <std::size_t kCount>
void add_reasons(const std::array<std::uint64_t, kCount>& counts,
                 const std::array<std::string_view, kCount>& names, const Labels& more, Page& page) {
  for (std::size_t reason = 0; reason < kCount; ++reason) {
    if (names[reason].empty()) continue;
    Labels labels = more;
    labels.push_back({"reason", std::string(names[reason])});
    page.sample(counts[reason], std::move(labels));
  }
}

void add_process(const AgentStatus& status, Page& page) {
  page.gauge("flowtally_build_info", "1, with the version as a label.")
      .sample(1, {{"version", status.version}});
  page.gauge("process_start_time_seconds", "When the process began, in Unix time.")
      .sample(seconds(status.started.wall_ns));
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return;
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  page.counter("process_cpu_seconds_total", "CPU time of the process, user and system.")
      .sample(of(usage.ru_utime) + of(usage.ru_stime));
}

void add_attachments(const AgentStatus& status, Page& page) {
  const auto labels = [](const model::AttachmentStatus& device) {
    return Labels{{"interface", device.interface}};
  };
  page.gauge("flowtally_attached", "1 while the interface is counted, 0 while it is waited for.");
  for (const auto& device : status.attachments) page.sample(device.attached ? 1 : 0, labels(device));
  page.counter("flowtally_interface_gaps_total",
               "Times that the interface, or our program on it, went away.");
  for (const auto& device : status.attachments) page.sample(device.gaps, labels(device));
  page.counter("flowtally_uncounted_seconds_total",
               "How long nothing was counted since the first attachment.");
  for (const auto& device : status.attachments) page.sample(seconds(device.uncounted_ns), labels(device));
  page.gauge("flowtally_adopted_generations", "Generations with counts that an earlier process had left.")
      .sample(status.adoption.epochs_adopted);
}

void add_traffic(const AgentStatus& status, Page& page) {
  const model::WindowSums& sums = status.sums;
  page.counter("flowtally_windows_total", "Drained windows in which anything passed.").sample(sums.windows);
  page.counter("flowtally_unbalanced_windows_total", "Windows that did not add up; any one is a fault.")
      .sample(sums.windows_unbalanced);
  page.counter("flowtally_pressure_drains_total", "Drains before their time, because a table filled up.")
      .sample(sums.pressure_drains);
  page.counter("flowtally_flows_total", "Flow entries of all windows.").sample(sums.flows);
  add_counters("flowtally_hook", "that passed the counted interface", "", {{"", &sums.totals.hook}}, page);
  add_counters("flowtally_coarse", "that were counted without ports, for lack of room", "",
               {{"", &sums.coarse}}, page);
  add_counters("flowtally_unlisted", "that passed and are in no flow", "why",
               {{"unparsed", &sums.totals.unparsed},
                {"excluded", &sums.totals.excluded},
                {"dropped", &sums.totals.dropped}},
               page);
  add_counters("flowtally_dropped_late", "that were listed in an earlier window, then dropped by the device",
               "", {{"", &sums.totals.dropped_late}}, page);
  page.counter("flowtally_device_dropped_packets_total",
               "Packets that the device dropped by its own count, where they cannot be taken off.")
      .sample(sums.totals.device_dropped);
  page.counter("flowtally_unparsed_reason_packets_total", "Packets that could not be parsed, by reason.");
  add_reasons(sums.totals.unparsed_packets, kUnparsedNames, {}, page);
  page.counter("flowtally_excluded_reason_packets_total", "Packets left out as Tailscale does, by reason.");
  add_reasons(sums.totals.excluded_packets, kExcludedNames, {}, page);
  page.counter("flowtally_insert_failures_total", "Inserts into a table of the kernel that failed.");
  add_reasons(sums.totals.flow_insert_failures, kInsertFailureNames, {{"table", "flow"}}, page);
  add_reasons(sums.totals.coarse_insert_failures, kInsertFailureNames, {{"table", "coarse"}}, page);
  if (!sums.underlay.counted) return;
  add_counters("flowtally_underlay", "of tailscaled's UDP sockets; bytes are payload", "",
               {{"", &sums.underlay.hook}}, page);
  add_counters("flowtally_underlay_unlisted", "of tailscaled's UDP sockets that are in no entry", "kind",
               {{"unmapped", &sums.underlay.unmapped},
                {"disco", &sums.underlay.disco},
                {"stun", &sums.underlay.stun},
                {"other", &sums.underlay.other}},
               page);
  add_counters("flowtally_underlay_tcp", "of tailscaled's TCP: relays, control, logs", "",
               {{"", &sums.underlay.tcp}}, page);
}

void add_drain(const AgentStatus& status, Page& page) {
  page.gauge("flowtally_table_capacity_entries", "Room of the active generation.");
  page.sample(status.table.capacity4, {{"family", "ipv4"}})
      .sample(status.table.capacity6, {{"family", "ipv6"}});
  page.gauge("flowtally_table_max_entries", "The most that a table of one family may have.")
      .sample(status.table.flows_max);
  page.gauge("flowtally_table_entries", "Flow entries of the latest window.")
      .sample(status.table.flows_latest);
  const model::DrainStatus& drain = status.drain;
  page.gauge("flowtally_interval_seconds", "How often windows end.").sample(seconds(drain.interval_ns));
  page.gauge("flowtally_drain_duration_seconds", "How long the latest drain took.")
      .sample(seconds(drain.duration_ns));
  const auto moment = [&](const char* name, const char* help, const std::optional<base::Moment>& when) {
    page.gauge(name, help);
    if (when) page.sample(seconds(when->wall_ns));
  };
  moment("flowtally_last_drain_timestamp_seconds", "When a generation was last read, in Unix time.",
         drain.done_at);
  moment("flowtally_last_window_end_timestamp_seconds", "End of the latest written window, in Unix time.",
         drain.window_end);
  page.gauge("flowtally_drain_failing", "1 while drains fail.").sample(drain.failure.empty() ? 0 : 1);
}

template <class Value>
void add_journal(const AgentStatus& status, Page& page, Value value) {
  for (const model::JournalStatus& journal : status.journals) {
    page.sample(value(journal), {{"log_type", journal.log_type}});
  }
}

void add_journals(const AgentStatus& status, Page& page) {
  using Journal = const model::JournalStatus&;
  page.gauge("flowtally_journal_first_sequence", "Number of the oldest record.");
  add_journal(status, page, [](Journal journal) { return journal.first; });
  page.counter("flowtally_journal_records_total", "Records appended since the journal began.");
  add_journal(status, page, [](Journal journal) { return journal.next - 1; });
  page.gauge("flowtally_journal_size_bytes", "Size of all segments on disk.");
  add_journal(status, page, [](Journal journal) { return journal.bytes; });
  page.gauge("flowtally_journal_segments", "Segments on disk.");
  add_journal(status, page, [](Journal journal) { return journal.segments; });
  page.gauge("flowtally_journal_unsealed_segments", "Segments that are full and wait to be compressed.");
  add_journal(status, page, [](Journal journal) { return journal.segments_waiting; });
  page.counter("flowtally_journal_removed_records_total", "Records that retention removed.");
  add_journal(status, page, [](Journal journal) { return journal.removed_records; });
  page.counter("flowtally_journal_removed_bytes_total", "Bytes on disk that retention removed.");
  add_journal(status, page, [](Journal journal) { return journal.removed_bytes; });
  page.counter("flowtally_journal_failures_total", "Appends that failed.");
  add_journal(status, page, [](Journal journal) { return journal.failures; });
  page.gauge("flowtally_journal_failing", "1 while the journal cannot be written.");
  add_journal(status, page, [](Journal journal) { return journal.failing_since ? 1 : 0; });
  if (!status.output.wanted) return;
  page.counter("flowtally_output_failures_total", "Writes of the extra copy that failed.")
      .sample(status.output.failures);
  page.gauge("flowtally_output_failing", "1 while the extra copy cannot be written.")
      .sample(status.output.failing_since ? 1 : 0);
}

template <class Value>
void add_stream(const AgentStatus& status, Page& page, Value value) {
  for (const model::SinkStatus& sink : status.sinks) {
    page.sample(value(sink),
                {{"sink", sink.sink}, {"log_type", std::string(model::log_type_name(sink.log_type))}});
  }
}

void add_streams(const AgentStatus& status, Page& page) {
  using Sink = const model::SinkStatus&;
  if (status.sinks.empty()) return;
  page.counter("flowtally_sink_records_total", "Records that the receiver has acknowledged.");
  add_stream(status, page, [](Sink sink) { return sink.records; });
  page.counter("flowtally_sink_items_total",
               "Items that the receiver has acknowledged: connections, or records.");
  add_stream(status, page, [](Sink sink) { return sink.items; });
  page.counter("flowtally_sink_repeated_items_total", "Of them, those that it had already.");
  add_stream(status, page, [](Sink sink) { return sink.repeated_items; });
  page.counter("flowtally_sink_refused_items_total",
               "Items that were refused for good; they are dead letters.");
  add_stream(status, page, [](Sink sink) { return sink.refused_items; });
  page.counter("flowtally_sink_filtered_items_total", "Items that the sink's filter left out.");
  add_stream(status, page, [](Sink sink) { return sink.filtered_items; });
  page.counter("flowtally_sink_lost_records_total", "Records that were gone before they were delivered.");
  add_stream(status, page, [](Sink sink) { return sink.lost_records; });
  page.counter("flowtally_sink_delivered_bytes_total",
               "Bytes of bodies that were acknowledged, not compressed.");
  add_stream(status, page, [](Sink sink) { return sink.bytes; });
  page.counter("flowtally_sink_sent_bytes_total", "Bytes of bodies as they were sent, those sent again too.");
  add_stream(status, page, [](Sink sink) { return sink.bytes_sent; });
  page.counter("flowtally_sink_requests_total", "Requests to the receiver.");
  add_stream(status, page, [](Sink sink) { return sink.requests; });
  page.counter("flowtally_sink_retries_total", "Tries that failed and are repeated.");
  add_stream(status, page, [](Sink sink) { return sink.retries; });
  page.gauge("flowtally_sink_behind_records", "Records in the journal that are not acknowledged yet.");
  add_stream(status, page, [](Sink sink) { return sink.behind_records; });
  page.gauge("flowtally_sink_failing", "1 while the receiver does not take what it is sent.");
  add_stream(status, page, [](Sink sink) { return sink.failing_since ? 1 : 0; });
  page.gauge("flowtally_sink_last_success_timestamp_seconds",
             "Latest acknowledgement, in Unix time; 0: none yet.");
  add_stream(status, page,
             [](Sink sink) { return sink.delivered_at ? seconds(sink.delivered_at->wall_ns) : 0.0; });
}

void add_identity(const AgentStatus& status, Page& page) {
  const model::IdentityStatus& identity = status.identity;
  page.gauge("flowtally_identity_reachable", "1 while tailscaled answers.")
      .sample(identity.reachable ? 1 : 0);
  page.gauge("flowtally_identity_age_seconds", "Age of what is known of the tailnet.");
  if (identity.read_boot_ns != 0) page.sample(seconds(status.now.boot_ns - identity.read_boot_ns));
  page.gauge("flowtally_identity_peers", "Peers that are known.").sample(identity.peers);
  page.counter("flowtally_identity_reads_total", "Answers of tailscaled that were understood.")
      .sample(identity.reads);
  page.counter("flowtally_identity_failures_total", "Reads from tailscaled that failed.")
      .sample(identity.failures);
  page.counter("flowtally_identity_events_lost_total", "Messages for the log that found no room.")
      .sample(identity.events_lost);
}

void add_api(const Counts& counts, Page& page) {
  const auto value = [](const auto& count) { return count.load(std::memory_order_relaxed); };
  page.counter("flowtally_api_answers_total", "Answers by class of their status.");
  for (std::size_t digit = 2; digit < counts.answers.size(); ++digit) {
    page.sample(value(counts.answers[digit]), {{"class", std::to_string(digit) + "xx"}});
  }
  page.counter("flowtally_api_refusals_total", "Clients that were turned away or cut off, by reason.");
  for (std::size_t reason = 0; reason < kRefusalNames.size(); ++reason) {
    page.sample(value(counts.refusals[reason]), {{"reason", std::string(kRefusalNames[reason])}});
  }
  page.gauge("flowtally_api_connections", "Connections that are open.").sample(value(counts.connections));
  page.counter("flowtally_api_missing_records_total",
               "Records that readers of the API could not have any more.")
      .sample(value(counts.records_missing));
  page.counter("flowtally_api_broken_answers_total", "Answers that an error ended in the middle.")
      .sample(value(counts.answers_broken));
}

/// What a Prometheus registry would collect.
class StatusCollector final : public prometheus::Collectable {
 public:
  StatusCollector(const AgentStatus& status, const Counts& counts) : status_(status), counts_(counts) {}

  [[nodiscard]] std::vector<MetricFamily> Collect() const override {
    Page page;
    add_process(status_, page);
    add_attachments(status_, page);
    add_traffic(status_, page);
    add_drain(status_, page);
    add_journals(status_, page);
    add_streams(status_, page);
    add_identity(status_, page);
    add_api(counts_, page);
    return page.take();
  }

 private:
  const AgentStatus& status_;
  const Counts& counts_;
};

}  // namespace

std::string metrics_text(const AgentStatus& status, const Counts& counts) {
  return prometheus::TextSerializer().Serialize(StatusCollector(status, counts).Collect());
}

}  // namespace flowtally::api
