#include "app/attribution.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "flow/classifier.hpp"
#include "record/window_writer.hpp"

namespace flowtally::app {

Attribution::Attribution(std::shared_ptr<identity::IdentitySource> source, AttributionOptions options,
                         spdlog::logger& logger)
    : source_(std::move(source)), options_(std::move(options)), logger_(logger) {}

void Attribution::tell_events() {
  for (const identity::Event& event : source_->take_events()) {
    switch (event.kind) {
      case identity::Event::Kind::kReached:
      case identity::Event::Kind::kSelfChanged: logger_.info("{}", event.text); break;
      case identity::Event::Kind::kLost:
      case identity::Event::Kind::kBadAnswer: logger_.warn("{}", event.text); break;
    }
  }
}

/// While tailscaled is away nobody waits for it; before its first answer it may only just have been asked.
bool Attribution::worth_asking(std::int64_t now_ns) const {
  if (now_ns < ask_after_ns_) return false;
  const identity::Status status = source_->status();
  return status.reachable || (status.reads == 0 && status.failures == 0);
}

model::ClassifiedWindow Attribution::classify(const model::Window& window) const {
  return flow::classify(window, source_->snapshot().nodes, {.anonymise_exit = !options_.log_exit_flows});
}

model::ClassifiedWindow Attribution::attribute(const model::Window& window,
                                               std::chrono::milliseconds patience) {
  auto classified = classify(window);
  const std::int64_t now_ns = window.end.boot_ns;
  if (!classified.unknown_ends || patience == patience.zero() || !worth_asking(now_ns)) return classified;
  ++windows_asked_;
  if (source_->refresh(patience)) {
    classified = classify(window);
  }
  ask_pause_ns_ = classified.unknown_ends ? std::clamp(ask_pause_ns_ * 2, kAskPauseMinNs, kAskPauseMaxNs) : 0;
  ask_after_ns_ = now_ns + ask_pause_ns_;
  return classified;
}

const std::string& Attribution::node_id(const model::ClassifiedWindow& window) const {
  if (!options_.node_id.empty()) return options_.node_id;
  const std::string& known = window.nodes->tailnet().self.id;
  const bool usable = !known.empty() && known.size() <= record::kIdentityBytesMax;
  return usable ? known : options_.node_id_fallback;
}

std::optional<TailscaledSockets> Attribution::changed_sockets() {
  auto nodes = source_->snapshot().nodes;
  if (nodes == nodes_of_sockets_) return std::nullopt;
  nodes_of_sockets_ = std::move(nodes);
  const model::Tailnet& tailnet = nodes_of_sockets_->tailnet();
  TailscaledSockets now{.udp_ports = tailnet.udp_ports, .marked = tailnet.uses_socket_mark};
  if (now == sockets_) return std::nullopt;
  sockets_ = now;
  return now;
}

std::string Attribution::summary_text() const {
  const identity::Snapshot snapshot = source_->snapshot();
  const identity::Status status = source_->status();
  if (status.reads == 0 && status.failures == 0) return {};
  std::string text = fmt::format("; asked tailscaled {} times", status.reads + status.failures);
  if (status.failures > 0) text += fmt::format(", {} without an answer of use", status.failures);
  if (windows_asked_ > 0) text += fmt::format(", {} windows had an unknown address", windows_asked_);
  if (snapshot.read_boot_ns > 0) {
    const auto age_ns = base::now().boot_ns - snapshot.read_boot_ns;
    text += fmt::format("; its last answer is {:.0f} s old", static_cast<double>(age_ns) * 1e-9);
  }
  return text;
}

}  // namespace flowtally::app
