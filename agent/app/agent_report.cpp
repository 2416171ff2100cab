// This file is the part of the agent that says how it is doing.
#include <utility>

#include "app/agent.hpp"
#include "flow/window_maker.hpp"

namespace flowtally::app {

void Agent::publish() {
  if (outputs_.view != nullptr) outputs_.view->publish(report());
}

model::AgentStatus Agent::report() const {
  const capture::Status status = capturer_->status();
  model::AgentStatus report{.version = FLOWTALLY_VERSION,
                            .node_id = node_id_,
                            .boot_id = boot_id_,
                            .started = started_,
                            .epoch = status.epoch};
  model::AttachmentStatus& attachment = report.attachments.emplace_back();
  attachment.interface = options_.capture.interface;
  attachment.ifindex = status.ifindex;
  attachment.attached = status.attached;
  attachment.mode = status.attached_by;
  attachment.failure = status.failure;
  attachment.drops_taken_off = status.drops_taken_off;
  attachment.gaps = status.gaps;
  attachment.uncounted_ns = status.uncounted_ns;
  if (status.attached) attachment.attached_since = status.attached_since;
  report.adoption = {.adopted = status.adopted, .epochs_adopted = summary_.adopted};
  report.sums = {.windows = summary_.windows,
                 .windows_unbalanced = summary_.windows_unbalanced,
                 .pressure_drains = summary_.pressure_drains,
                 .flows = flows_,
                 .coarse = summary_.coarse,
                 .totals = summary_.totals,
                 .underlay = summary_.underlay};
  report.table = {.capacity4 = status.capacity.flows4,
                  .capacity6 = status.capacity.flows6,
                  .flows_max = options_.capture.flows_max,
                  .flows_latest = flows_latest_};
  report.drain = drain_;
  report.drain.interval_ns = options_.interval.count() * 1'000'000;
  report.output = {.wanted = outputs_.copy != nullptr,
                   .failures = copy_failures_,
                   .failing_since = copy_failing_since_,
                   .failure = copy_failure_};
  return report;
}

base::Result<api::LiveWindow> Agent::look_at_live_window() {
  auto generation = capturer_->peek();
  if (!generation) return base::fail(std::move(generation.error()));
  api::LiveWindow live{.window = attribution_.classify(flow::make_window(*generation)), .boot_id = boot_id_};
  live.node_id = attribution_.node_id(live.window);
  return live;
}

}  // namespace flowtally::app
