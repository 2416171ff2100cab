#include "capture/capturer.hpp"

#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <sys/epoll.h>

#include "base/check.hpp"
#include "capture/kernel_check.hpp"
#include "capture/percpu_hash_table.hpp"

namespace flowtally::capture {

Capturer::Capturer(const CaptureOptions& options, Program program)
    : options_(options), program_(std::make_unique<Program>(std::move(program))) {}

base::Result<std::unique_ptr<Capturer>> Capturer::open(const CaptureOptions& options) {
  if (auto fit = require_kernel(); !fit) return base::fail(std::move(fit.error()));
  auto program = Program::load({.image = options.image, .exclude = options.exclude});
  if (!program) return base::fail(std::move(program.error()));
  std::unique_ptr<Capturer> capturer(new Capturer(options, std::move(*program)));

  auto table = PercpuHashTable::create(*capturer->program_, options.flows_max);
  if (!table) return base::fail(std::move(table.error()));
  capturer->table_ = std::move(*table);
  auto totals = TotalsMaps::open(*capturer->program_);
  if (!totals) return base::fail(std::move(totals.error()));
  capturer->totals_.emplace(*totals);
  auto generation_switch = GenerationSwitch::create(*capturer->program_);
  if (!generation_switch) return base::fail(std::move(generation_switch.error()));
  capturer->switch_.emplace(std::move(*generation_switch));
  auto pressure = PressureSignal::open(*capturer->program_);
  if (!pressure) return base::fail(std::move(pressure.error()));
  capturer->pressure_.emplace(std::move(*pressure));
  auto watch = DeviceWatch::open();
  if (!watch) return base::fail(std::move(watch.error()));
  capturer->watch_.emplace(std::move(*watch));
  if (auto watched = capturer->watch_descriptors(); !watched) return base::fail(std::move(watched.error()));
  capturer->active_since_ = base::now();
  return capturer;
}

base::Status Capturer::watch_descriptors() {
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return base::fail(base::Error::from_errno(errno, "make an epoll set for the capture"));
  for (const int fd : {watch_->fd(), pressure_->fd()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return base::fail(base::Error::from_errno(errno, "add a descriptor to the epoll set of the capture"));
    }
  }
  return {};
}

std::vector<Event> Capturer::take_events() {
  watch_->drain();
  std::vector<Event> events = look_at_interface();
  if (pressure_->take(to_index(switch_->active()))) {
    events.push_back({.kind = Event::Kind::kPressure, .text = "the active generation is filling up"});
  }
  return events;
}

std::vector<Event> Capturer::look_at_interface() {
  std::vector<Event> events;
  auto device = watch_->find(options_.interface);
  if (attachment_) {
    const bool same = device && device->has_value() && (*device)->index == attachment_->device().index;
    if (same && attachment_->alive()) return events;
    attachment_.reset();
    events.push_back(
        {.kind = Event::Kind::kGone,
         .text = fmt::format("{} is gone, or our program was taken off it", options_.interface)});
  }
  Event event{.kind = Event::Kind::kAttachFailed, .text = {}};
  if (!device) {
    event.text = device.error().text();
  } else if (!device->has_value()) {
    last_failure_.clear();
    return events;
  } else {
    event = attach_to(**device);
  }
  if (event.kind != Event::Kind::kAttachFailed || event.text != last_failure_) events.push_back(event);
  last_failure_ = event.kind == Event::Kind::kAttachFailed ? event.text : std::string{};
  return events;
}

Event Capturer::attach_to(const Device& device) {
  auto attachment = Attachment::attach(*program_, device, options_.mode);
  if (!attachment) return {.kind = Event::Kind::kAttachFailed, .text = attachment.error().text()};
  attachment_.emplace(std::move(*attachment));
  return {
      .kind = Event::Kind::kAttached,
      .text = fmt::format("counting {} (index {}, {}) by {}", options_.interface, to_int(device.index),
                          device.link_layer == LinkLayer::kL3 ? "layer 3" : "Ethernet", attachment_->kind())};
}

base::Result<const model::Generation*> Capturer::drain() {
  if (generation_) return &*generation_;
  if (!retired_) {
    const base::Moment end = base::now();
    retired_ =
        Retired{.epoch = switch_->epoch(), .start = active_since_, .end = end, .index = switch_->flip()};
    active_since_ = end;
  }
  model::Generation generation{.epoch = retired_->epoch, .start = retired_->start, .end = retired_->end};
  auto step = switch_->barrier();
  if (step) step = totals_->read(retired_->index, generation);
  if (step) step = table_->read(retired_->index, generation);
  if (!step) {
    return base::fail(std::move(step.error()).during(fmt::format("drain generation {}", generation.epoch)));
  }
  generation_.emplace(std::move(generation));
  return &*generation_;
}

base::Status Capturer::acknowledge() {
  FLOWTALLY_CHECK(retired_.has_value() && generation_.has_value());
  auto step = table_->reset(retired_->index, *generation_);
  if (step) step = totals_->reset(retired_->index, *generation_);
  if (!step) {
    return base::fail(std::move(step.error()).during(fmt::format("clear generation {}", generation_->epoch)));
  }
  retired_.reset();
  generation_.reset();
  return {};
}

Status Capturer::status() const {
  return {.attached = attachment_.has_value(),
          .attached_by = attachment_ ? std::string(attachment_->kind()) : std::string{},
          .epoch = switch_->epoch(),
          .capacity = table_->capacity(switch_->active())};
}

}  // namespace flowtally::capture
