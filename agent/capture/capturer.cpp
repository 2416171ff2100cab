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
  std::vector<Event> limits;
  std::optional<DropWatch> drops;
  if (options.take_off_drops) {
    auto opened = DropWatch::open(*program);
    if (opened) {
      selector->expect_drops();
      drops.emplace(std::move(*opened));
    } else {
      limits.push_back(
          {.kind = Event::Kind::kLimited,
           .text = fmt::format("packets that {} drops because its reader is too slow stay in the "
                               "flows, and the device's own count of them goes into the records: {}",
                               options.interface, opened.error().text())});
    }
  }
  std::optional<UnderlayCounter> underlay;
  if (options.underlay.enabled) {
    auto opened = UnderlayCounter::open(*program, options.underlay, options.interface, options.mode);
    if (opened) {
      underlay.emplace(std::move(*opened));
    } else {
      limits.push_back(
          {.kind = Event::Kind::kLimited,
           .text = fmt::format("tailscaled's own traffic is not counted: {}", opened.error().text())});
    }
  }

  std::unique_ptr<Capturer> capturer(new Capturer(options, {.program = std::move(program),
                                                            .table = std::move(*table),
                                                            .totals = *totals,
                                                            .selector = std::move(*selector),
                                                            .pressure = std::move(*pressure),
                                                            .watch = std::move(*watch),
                                                            .epoll = std::move(*epoll),
                                                            .drops = std::move(drops),
                                                            .underlay = std::move(underlay)}));
  capturer->limits_ = std::move(limits);
  return capturer;
}

std::vector<Event> Capturer::take_events() {
  std::vector<Event> events = look_at_interface();
  if (parts_.pressure.take(to_index(parts_.selector.active()))) {
    events.push_back({.kind = Event::Kind::kPressure, .text = "the active generation is filling up"});
  }
  return events;
}

std::vector<Event> Capturer::look_at_interface() {
  parts_.watch.drain();  // before the look: what changes after it is told again
  std::vector<Event> events = std::exchange(limits_, {});
  look_at_underlay(events);
  const auto looked = parts_.watch.find(options_.interface);
  const std::optional<Device> device = looked.value_or(std::nullopt);
  if (attachment_) {
    if (device && device->index == attachment_->device().index && attachment_->alive()) return events;
    lose_interface();
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

void Capturer::look_at_underlay(std::vector<Event>& events) {
  if (!parts_.underlay) return;
  UnderlayCounter::Report report = parts_.underlay->look(parts_.watch);
  for (std::string& text : report.attached) {
    events.push_back({.kind = Event::Kind::kUnderlay, .text = std::move(text)});
  }
  for (std::string& text : report.failed) {
    events.push_back({.kind = Event::Kind::kLimited, .text = std::move(text)});
  }
}

void Capturer::set_tailscaled_sockets(std::span<const std::uint16_t> udp_ports, bool marked) noexcept {
  if (parts_.underlay) parts_.underlay->set_sockets(udp_ports, marked);
}

void Capturer::detach() noexcept {
  attachment_.reset();
  if (parts_.underlay) parts_.underlay->detach();
}

void Capturer::lose_interface() {
  attachment_.reset();
  ++gaps_;
  gap_since_ns_ = base::now().boot_ns;
  if (parts_.drops) parts_.drops->watch_none();
}

Event Capturer::attach_to(const Device& device) {
  if (parts_.drops) parts_.drops->watch(device);
  device_dropped_ = parts_.watch.dropped(options_.interface).value_or(0);
  auto attachment = Attachment::attach(*parts_.program, device, options_.mode);
  if (!attachment) return {.kind = Event::Kind::kAttachFailed, .text = attachment.error().text()};
  const std::string_view kind = attachment_.emplace(std::move(*attachment)).kind();
  std::string text = fmt::format("counting {} (index {}, {}) by {}", options_.interface, to_int(device.index),
                                 device.link_layer == LinkLayer::kL3 ? "layer 3" : "Ethernet", kind);
  if (gap_since_ns_) {
    const std::int64_t gap_ns = base::now().boot_ns - *gap_since_ns_;
    uncounted_ns_ += gap_ns;
    gap_since_ns_.reset();
    text += fmt::format(", after {:.3f} s in which nothing was counted", static_cast<double>(gap_ns) * 1e-9);
  }
  return {.kind = Event::Kind::kAttached, .text = std::move(text)};
}

/// The device's own drops since the last call, where they are not taken off the flows.
std::uint64_t Capturer::take_device_dropped() {
  if (parts_.drops || !attachment_) return 0;
  const auto now = parts_.watch.dropped(options_.interface);
  if (!now || *now < device_dropped_) return 0;
  return *now - std::exchange(device_dropped_, *now);
}

base::Result<const model::Generation*> Capturer::drain() {
  if (generation_) return &*generation_;
  if (!retired_) {
    const base::Moment end = base::now();
    retired_ = {.epoch = parts_.selector.epoch(),
                .start = active_since_,
                .end = end,
                .index = parts_.selector.flip(),
                .device_dropped = take_device_dropped()};
    active_since_ = end;
  }
  const Retired& retired = retired_.value();
  model::Generation generation{.epoch = retired.epoch, .start = retired.start, .end = retired.end};
  auto step = parts_.selector.barrier();
  if (step) step = parts_.totals.read(retired.index, generation);
  if (step) step = parts_.table->read(retired.index, generation);
  if (step && parts_.underlay) step = parts_.underlay->read(retired.index, generation);
  if (!step) {
    return base::fail(std::move(step.error()).during(fmt::format("drain generation {}", generation.epoch)));
  }
  generation.totals.device_dropped = retired.device_dropped;
  return &generation_.emplace(std::move(generation));
}

base::Status Capturer::acknowledge() {
  FLOWTALLY_CHECK(retired_.has_value() && generation_.has_value());
  const GenerationIndex index = retired_.value().index;
  const model::Generation& drained = generation_.value();
  auto step = parts_.table->reset(index, drained);
  if (step) step = parts_.totals.reset(index, drained);
  if (step && parts_.underlay) step = parts_.underlay->reset(index, drained);
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
          .capacity = parts_.table->capacity(parts_.selector.active()),
          .drops_taken_off = parts_.drops.has_value(),
          .gaps = gaps_,
          .uncounted_ns = uncounted_ns_ + (gap_since_ns_ ? base::now().boot_ns - *gap_since_ns_ : 0)};
}

}  // namespace flowtally::capture
