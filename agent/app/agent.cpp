#include "app/agent.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "app/fault_point.hpp"
#include "app/node_id.hpp"
#include "capture/capturer.hpp"
#include "flow/window_maker.hpp"
#include "record/window_writer.hpp"

namespace flowtally::app {
namespace {

base::Result<base::UniqueFd> start_timer(std::chrono::milliseconds interval) {
  base::UniqueFd timer(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  itimerspec times{};
  times.it_interval.tv_sec = interval.count() / 1000;
  times.it_interval.tv_nsec = interval.count() % 1000 * 1'000'000;
  times.it_value = times.it_interval;
  if (!timer.valid() || ::timerfd_settime(timer.get(), 0, &times, nullptr) != 0) {
    return base::fail(base::Error::from_errno(errno, "start the interval timer"));
  }
  return timer;
}

std::string counters_text(const model::Counters& counters) {
  return fmt::format("tx {} packets {} bytes, rx {} packets {} bytes", counters.tx_packets, counters.tx_bytes,
                     counters.rx_packets, counters.rx_bytes);
}

base::Result<std::unique_ptr<capture::Capture>> open_capture(const AgentOptions& options) {
  if (options.open_capture) return options.open_capture(options.capture);
  auto opened = capture::Capturer::open(options.capture);
  if (!opened) return base::fail(std::move(opened.error()));
  return std::move(*opened);
}

}  // namespace

base::Result<std::unique_ptr<Agent>> Agent::start(AgentOptions options,
                                                  std::shared_ptr<identity::IdentitySource> identity,
                                                  AgentOutputs outputs, spdlog::logger& logger) {
  std::unique_ptr<Agent> agent(
      new Agent(std::move(options), std::move(identity), std::move(outputs), logger));
  if (auto prepared = agent->prepare(); !prepared) return base::fail(std::move(prepared.error()));
  return agent;
}

base::Status Agent::prepare() {
  auto boot = boot_id();
  if (!boot) return base::fail(std::move(boot.error()));
  boot_id_ = std::move(*boot);
  auto capturer = open_capture(options_);
  if (!capturer) return base::fail(std::move(capturer.error()));
  capturer_ = std::move(*capturer);
  auto timer = start_timer(options_.interval);
  if (!timer) return base::fail(std::move(timer.error()));
  timer_ = std::move(*timer);

  static_cast<void>(handle(capturer_->look_at_interface()));
  if (!capturer_->status().attached) {
    logger_.info("waiting for the interface {}", options_.capture.interface);
  }
  drain_backlog();
  return {};
}

/// What an earlier run left goes first, each generation as a window of its own.
void Agent::drain_backlog() {
  while (stage_ == Stage::kDone && capturer_->has_backlog()) {
    const auto drained = drain_window();
    if (!drained || !*drained) return;  // said; the next interval tries again
    ++summary_.adopted;
  }
}

bool Agent::handle(const std::vector<capture::Event>& events) {
  bool pressed = false;
  for (const capture::Event& event : events) {
    switch (event.kind) {
      case capture::Event::Kind::kAttached:
        logger_.info("{}", event.text);
        if (outputs_.tell) outputs_.tell({.attached = true, .text = event.text});
        break;
      case capture::Event::Kind::kUnderlay: logger_.info("{}", event.text); break;
      case capture::Event::Kind::kGone:
        if (outputs_.tell) outputs_.tell({.attached = false, .text = event.text});
        logger_.warn("{}; what it counted is kept, waiting for it to come back", event.text);
        break;
      case capture::Event::Kind::kAttachFailed:
        logger_.error("{}: not counting; trying again with every change of the interface and every {} ms",
                      event.text, options_.interval.count());
        break;
      case capture::Event::Kind::kPressure: pressed = true; break;
      case capture::Event::Kind::kLimited: logger_.warn("{}", event.text); break;
    }
  }
  return pressed;
}

base::Status Agent::run(int stop_fd) {
  for (;;) {
    publish();
    const int asked_fd = outputs_.view != nullptr ? outputs_.view->request_fd() : -1;
    std::array<pollfd, 6> waits{{{.fd = stop_fd, .events = POLLIN, .revents = 0},
                                 {.fd = timer_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = capturer_->event_fd(), .events = POLLIN, .revents = 0},
                                 {.fd = attribution_.event_fd(), .events = POLLIN, .revents = 0},
                                 {.fd = asked_fd, .events = POLLIN, .revents = 0},
                                 {.fd = outputs_.reload_fd, .events = POLLIN, .revents = 0}}};
    int patience_ms = -1;
    if (outputs_.manager != nullptr) {
      outputs_.manager->alive();
      const auto every = outputs_.manager->alive_every();
      if (every.count() > 0) patience_ms = static_cast<int>(every.count());
    }
    if (::poll(waits.data(), waits.size(), patience_ms) < 0 && errno != EINTR) {
      return base::fail(base::Error::from_errno(errno, "wait for the next interval"));
    }
    if (waits[0].revents != 0) return finish(stop_fd);
    if (waits[5].revents != 0 && outputs_.reload()) return finish(stop_fd);

    bool due = false;
    if (waits[1].revents != 0) {
      std::uint64_t ticks = 0;
      due = ::read(timer_.get(), &ticks, sizeof(ticks)) == static_cast<ssize_t>(sizeof(ticks));
      static_cast<void>(handle(capturer_->look_at_interface()));
    }
    if (waits[2].revents != 0) {
      if (auto ended = capturer_->ended()) return base::fail(lost(*std::move(ended)));
      if (handle(capturer_->take_events())) {
        ++summary_.pressure_drains;
        due = true;
      }
    }
    if (waits[3].revents != 0) attribution_.tell_events();
    take_sockets();
    if (waits[4].revents != 0) outputs_.view->answer(look_at_live_window());
    if (!due) continue;
    if (auto drained = drain_window(); !drained) return base::fail(lost(std::move(drained.error())));
  }
}

void Agent::take_sockets() {
  if (const auto sockets = attribution_.changed_sockets()) {
    capturer_->set_tailscaled_sockets(sockets->udp_ports, sockets->marked);
  }
}

base::Result<bool> Agent::drain_window() {
  drain_.tried_at = base::now();
  if (stage_ != Stage::kDone) {
    if (auto settled = settle(); !settled) return base::fail(std::move(settled.error()));
    if (stage_ != Stage::kDone) return false;
  }
  const std::int64_t begun_ns = base::now().boot_ns;
  auto generation = capturer_->drain();
  FAULT_POINT("drained");
  drain_.tried_at = base::now();
  drain_.failure = generation ? std::string() : generation.error().text();
  if (!generation) {
    logger_.error("{}; the next interval tries again", generation.error().text());
    return false;
  }
  drain_.done_at = drain_.tried_at;
  drain_.duration_ns = drain_.tried_at->boot_ns - begun_ns;
  if (outputs_.journal != nullptr && outputs_.journal->has((*generation)->epoch)) {
    // An earlier run was killed after it had written this window, and may have cleared some of it.
    stage_ = Stage::kClear;
  } else {
    write_window(**generation);
    stage_ = Stage::kJournal;
  }
  if (auto settled = settle(); !settled) return base::fail(std::move(settled.error()));
  return true;
}

base::Status Agent::settle() {
  if (stage_ == Stage::kJournal && append_to_journal()) stage_ = Stage::kCopy;
  if (stage_ == Stage::kCopy) {
    auto written = write_copy();
    if (!written) return base::fail(std::move(written.error()));
    if (*written) stage_ = Stage::kClear;
  }
  if (stage_ == Stage::kClear && clear_in_kernel()) {
    stage_ = Stage::kDone;
    unsettled_ = {};
    drain_.window_end = drained_end_;
  }
  return {};
}

bool Agent::append_to_journal() {
  if (outputs_.journal == nullptr) return true;
  FAULT_POINT("append");
  auto appended = outputs_.journal->append();
  if (!appended) {
    if (!std::exchange(journal_failing_, true)) {
      logger_.error("{}; the kernel goes on counting, the next interval tries again",
                    appended.error().text());
    }
    return false;
  }
  FAULT_POINT("appended");
  if (std::exchange(journal_failing_, false)) logger_.info("records are being appended to the journal again");
  if (outputs_.copy != nullptr) {
    for (const std::string& line : outputs_.journal->lines()) outputs_.copy->add(line);
  }
  return true;
}

/// True: all that was added is written. An Error: nobody will ever take it.
base::Result<bool> Agent::write_copy() {
  if (outputs_.copy == nullptr) return true;
  auto progress = outputs_.copy->flush();
  if (!progress) {
    if (is_final(progress.error())) return base::fail(std::move(progress.error()));
    ++copy_failures_;
    copy_failure_ = progress.error().text();
    if (!copy_failing_since_) copy_failing_since_ = base::now();
    if (!std::exchange(output_failing_, true)) {
      logger_.error("{}; the kernel goes on counting, the next interval tries again",
                    progress.error().text());
    }
    return false;
  }
  copy_failing_since_.reset();
  if (std::exchange(output_failing_, false)) logger_.info("records are being written again");
  return *progress == RecordOutput::Progress::kDone;
}

bool Agent::clear_in_kernel() {
  FAULT_POINT("clear");
  if (auto cleared = capturer_->acknowledge(); !cleared) {
    logger_.error("{}; its record is written, the next interval tries again to clear it",
                  cleared.error().text());
    return false;
  }
  FAULT_POINT("cleared");
  return true;
}

void Agent::write_window(const model::Generation& generation) {
  const model::Window window = flow::make_window(generation);
  drained_end_ = window.end;
  flows_latest_ = window.flows.size() + window.coarse.size();
  flows_ += flows_latest_;
  if (outputs_.journal != nullptr) outputs_.journal->begin(window);
  if (window.idle()) return;
  ++summary_.windows;
  summary_.counted += window.totals.hook;
  summary_.coarse += model::sum(window.coarse);
  summary_.totals += window.totals;
  summary_.underlay += window.underlay;
  unsettled_ = window.totals.hook;
  tell_coarse(window);
  if (!window.conserved()) {
    ++summary_.windows_unbalanced;
    logger_.error("window {} does not add up: the hook saw {}, the record has {}; please report this",
                  window.epoch, counters_text(window.totals.hook), counters_text(window.accounted()));
  }
  // While the interface is away it may come back at any moment, and until it is seen nothing is counted.
  const auto patience = attached() ? kIdentityWait : kIdentityWait.zero();
  const model::ClassifiedWindow classified = attribution_.attribute(window, patience);
  node_id_ = attribution_.node_id(classified);
  record::write_window(classified, {.node_id = node_id_, .boot_id = boot_id_},
                       {.accounting = options_.accounting}, [this](std::string_view line) {
                         if (outputs_.journal != nullptr) {
                           outputs_.journal->add(line);
                         } else if (outputs_.copy != nullptr) {
                           outputs_.copy->add(line);
                         }
                       });
}

void Agent::tell_coarse(const model::Window& window) {
  if (window.coarse.empty() == !coarse_) return;
  coarse_ = !coarse_;
  if (coarse_) {
    logger_.warn(
        "more flows than the table has room for: {} are counted without their ports; --max-flows is {}",
        counters_text(model::sum(window.coarse)), options_.capture.flows_max);
  } else {
    logger_.info("every flow has an entry of its own again");
  }
}

AgentSummary Agent::summary() const {
  AgentSummary summary = summary_;
  const capture::Status status = capturer_->status();
  summary.gaps = status.gaps;
  summary.uncounted_ns = status.uncounted_ns;
  summary.identity_text = attribution_.summary_text();
  return summary;
}

/// The error of an output that will take no more, with what it did not take. Nothing is counted after this,
/// unless a next run will find it.
base::Error Agent::lost(base::Error error) {
  if (options_.stays_attached) {
    return std::move(error).during(
        fmt::format("not written, and kept for the next run: {}", counters_text(unsettled_)));
  }
  capturer_->detach();
  model::Counters lost = unsettled_;
  const bool cleared = stage_ == Stage::kDone || capturer_->acknowledge().has_value();
  if (auto generation = capturer_->drain(); cleared && generation) lost += (*generation)->totals.hook;
  return std::move(error).during(fmt::format("not written: {}", counters_text(lost)));
}

base::Status Agent::finish(int stop_fd) {
  if (!options_.stays_attached) capturer_->detach();
  const auto deadline = std::chrono::steady_clock::now() + kStopGrace;
  // What is being written first, then what was counted since. A second stop signal ends the waiting.
  std::array<char, 128> signals{};  // a signalfd's or an eventfd's
  static_cast<void>(::read(stop_fd, signals.data(), signals.size()));
  for (bool last_drained = false;;) {
    if (!last_drained) {
      auto drained = drain_window();
      if (!drained) return base::fail(lost(std::move(drained.error())));
      last_drained = *drained && !capturer_->has_backlog();  // what others left came first
    } else if (auto settled = settle(); !settled) {
      return base::fail(lost(std::move(settled.error())));
    }
    if (stage_ == Stage::kDone && last_drained) return {};
    pollfd again{.fd = stop_fd, .events = POLLIN, .revents = 0};
    if (::poll(&again, 1, 10) > 0 || std::chrono::steady_clock::now() >= deadline) {
      return base::fail(lost(
          base::Error(base::ErrorCode::kIo, "the last records could not be written within the grace time")
              .advise("Give --output a receiver that keeps up, and the state directory room")));
    }
  }
}

}  // namespace flowtally::app
