#include "capture/capturer.hpp"

#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <sys/epoll.h>

#include "base/check.hpp"
#include "capture/kernel_check.hpp"
#include "capture/percpu_hash_table.hpp"

namespace flowtally::capture {
namespace {

/// An epoll set that is readable when one of these is.
base::Result<base::UniqueFd> epoll_of(std::initializer_list<int> descriptors) {
  base::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return base::fail(base::Error::from_errno(errno, "make an epoll set for the capture"));
  for (const int fd : descriptors) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return base::fail(base::Error::from_errno(errno, "add a descriptor to the epoll set of the capture"));
    }
  }
  return epoll;
}

}  // namespace

Capturer::Capturer(CaptureOptions options, Parts parts)
    : options_(std::move(options)), parts_(std::move(parts)) {}

base::Result<std::unique_ptr<Capturer>> Capturer::open(const CaptureOptions& options) {
  if (auto fit = require_kernel(); !fit) return base::fail(std::move(fit.error()));
  auto loaded = Program::load({.image = options.image, .exclude = options.exclude});
  if (!loaded) return base::fail(std::move(loaded.error()));
  auto program = std::make_unique<Program>(std::move(*loaded));
  auto table = PercpuHashTable::create(*program, options.flows_max);
  if (!table) return base::fail(std::move(table.error()));
  auto totals = TotalsMaps::open(*program);
  if (!totals) return base::fail(std::move(totals.error()));
  auto selector = GenerationSwitch::create(*program);
  if (!selector) return base::fail(std::move(selector.error()));
  auto pressure = PressureSignal::open(*program);
  if (!pressure) return base::fail(std::move(pressure.error()));
  auto watch = DeviceWatch::open();
  if (!watch) return base::fail(std::move(watch.error()));
  auto epoll = epoll_of({watch->fd(), pressure->fd()});
  if (!epoll) return base::fail(std::move(epoll.error()));

  std::unique_ptr<Capturer> capturer(new Capturer(options, {.program = std::move(program),
                                                            .table = std::move(*table),
                                                            .totals = *totals,
                                                            .selector = std::move(*selector),
                                                            .pressure = std::move(*pressure),
                                                            .watch = std::move(*watch),
                                                            .epoll = std::move(*epoll)}));
  return capturer;
}

std::vector<Event> Capturer::take_events() {
  parts_.watch.drain();
  std::vector<Event> events = look_at_interface();
  if (parts_.pressure.take(to_index(parts_.selector.active()))) {
    events.push_back({.kind = Event::Kind::kPressure, .text = "the active generation is filling up"});
  }
  return events;
}

std::vector<Event> Capturer::look_at_interface() {
  std::vector<Event> events;
  const auto looked = parts_.watch.find(options_.interface);
  const std::optional<Device> device = looked.value_or(std::nullopt);
  if (attachment_) {
    if (device && device->index == attachment_->device().index && attachment_->alive()) return events;
    attachment_.reset();
    events.push_back(
        {.kind = Event::Kind::kGone,
         .text = fmt::format("{} is gone, or our program was taken off it", options_.interface)});
  }
  std::string failure;
  if (!looked) {
    events.push_back({.kind = Event::Kind::kAttachFailed, .text = looked.error().text()});
  } else if (device) {
    events.push_back(attach_to(*device));
  }
  if (!events.empty() && events.back().kind == Event::Kind::kAttachFailed) {
    failure = events.back().text;
    if (failure == last_failure_) events.pop_back();  // said before, and nothing has changed
  }
  last_failure_ = failure;
  return events;
}

Event Capturer::attach_to(const Device& device) {
  auto attachment = Attachment::attach(*parts_.program, device, options_.mode);
  if (!attachment) return {.kind = Event::Kind::kAttachFailed, .text = attachment.error().text()};
  const std::string_view kind = attachment_.emplace(std::move(*attachment)).kind();
  return {.kind = Event::Kind::kAttached,
          .text = fmt::format("counting {} (index {}, {}) by {}", options_.interface, to_int(device.index),
                              device.link_layer == LinkLayer::kL3 ? "layer 3" : "Ethernet", kind)};
}

base::Result<const model::Generation*> Capturer::drain() {
  if (generation_) return &*generation_;
  if (!retired_) {
    const base::Moment end = base::now();
    retired_ = {.epoch = parts_.selector.epoch(),
                .start = active_since_,
                .end = end,
                .index = parts_.selector.flip()};
    active_since_ = end;
  }
  const Retired& retired = retired_.value();
  model::Generation generation{.epoch = retired.epoch, .start = retired.start, .end = retired.end};
  auto step = parts_.selector.barrier();
  if (step) step = parts_.totals.read(retired.index, generation);
  if (step) step = parts_.table->read(retired.index, generation);
  if (!step) {
    return base::fail(std::move(step.error()).during(fmt::format("drain generation {}", generation.epoch)));
  }
  return &generation_.emplace(std::move(generation));
}

base::Status Capturer::acknowledge() {
  FLOWTALLY_CHECK(retired_.has_value() && generation_.has_value());
  const GenerationIndex index = retired_.value().index;
  const model::Generation& drained = generation_.value();
  auto step = parts_.table->reset(index, drained);
  if (step) step = parts_.totals.reset(index, drained);
  if (!step) {
    return base::fail(std::move(step.error()).during(fmt::format("clear generation {}", drained.epoch)));
  }
  retired_.reset();
  generation_.reset();
  return {};
}

Status Capturer::status() const {
  return {.attached = attachment_.has_value(),
          .attached_by = attachment_ ? std::string(attachment_->kind()) : std::string{},
          .epoch = parts_.selector.epoch(),
          .capacity = parts_.table->capacity(parts_.selector.active())};
}

}  // namespace flowtally::capture
