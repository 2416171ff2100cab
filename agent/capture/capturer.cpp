#include "capture/capturer.hpp"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <sys/epoll.h>

#include "base/check.hpp"
#include "capture/kernel_check.hpp"
#include "capture/leftovers.hpp"
#include "capture/percpu_hash_table.hpp"
#include "capture/pinned_hook.hpp"

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

base::Moment moment_of(std::uint64_t boot_ns, std::uint64_t wall_ns) noexcept {
  return {.boot_ns = static_cast<std::int64_t>(boot_ns), .wall_ns = static_cast<std::int64_t>(wall_ns)};
}

/// Of the device as it is now; where there is none, or none of a known kind, that of tailscale0.
LinkLayer link_layer_of(const DeviceWatch& watch, const std::string& interface) {
  const auto device = watch.find(interface);
  return device && *device ? (*device)->link_layer : LinkLayer::kL3;
}

/// The pins of this capture, with nothing in them that cannot be gone on from.
base::Result<std::unique_ptr<Pins>> open_pins(const CaptureOptions& options) {
  if (options.bpffs.empty()) return nullptr;
  auto opened = Pins::open(options.bpffs, options.interface, options.lock_wait);
  if (!opened) return base::fail(std::move(opened.error()));
  auto pins = std::make_unique<Pins>(std::move(*opened));
  if (options.fresh) {
    take_off_filters(pins->links().has("main_rx_made_qdisc"));
    if (auto discarded = pins->discard(); !discarded) return base::fail(std::move(discarded.error()));
  }
  // Where not all of them are there, nothing was ever attached that counts in them.
  if (!Pins::complete(pins->maps())) pins->maps().clear();
  return pins;
}

}  // namespace

Capturer::Capturer(CaptureOptions options, Parts parts)
    : options_(std::move(options)), parts_(std::move(parts)) {}

base::Result<std::unique_ptr<Capturer>> Capturer::open(const CaptureOptions& options) {
  if (auto fit = require_kernel(); !fit) return base::fail(std::move(fit.error()));
  auto opened_pins = open_pins(options);
  if (!opened_pins) return base::fail(std::move(opened_pins.error()));
  std::unique_ptr<Pins> pins = std::move(*opened_pins);
  const PinDirectory* const maps = pins ? &pins->maps() : nullptr;
  const bool adopted = pins && Pins::complete(*maps);
  std::vector<ForeignGenerations> foreign;
  if (pins) {
    auto found = ForeignGenerations::open(*pins);
    if (!found) return base::fail(std::move(found.error()));
    foreign = std::move(*found);
  }
  auto watch = DeviceWatch::open();
  if (!watch) return base::fail(std::move(watch.error()));
  auto loaded = Program::load({.image = options.image,
                               .exclude = options.exclude,
                               .pins = maps,
                               .link_layer = link_layer_of(*watch, options.interface)});
  if (!loaded) return base::fail(std::move(loaded.error()));
  auto program = std::make_unique<Program>(std::move(*loaded));
  auto table = PercpuHashTable::create(*program, options.flows_max, maps);
  if (!table) return base::fail(std::move(table.error()));
  auto totals = TotalsMaps::open(*program);
  if (!totals) return base::fail(std::move(totals.error()));
  auto selector = GenerationSwitch::create(*program);
  if (!selector) return base::fail(std::move(selector.error()));
  auto pressure = PressureSignal::open(*program);
  if (!pressure) return base::fail(std::move(pressure.error()));
  auto epoll = epoll_of({watch->fd(), pressure->fd()});
  if (!epoll) return base::fail(std::move(epoll.error()));
  std::vector<Event> limits;
  std::optional<DropWatch> drops;
  if (options.take_off_drops) {
    auto opened = DropWatch::open(*program, options.exclude, maps);
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
  program->control().exclude = options.exclude ? 1 : 0;
  if (pins) {
    if (!drops) DropWatch::remove(*maps);
    auto complete = pins->mark_complete(program->map_fd(".data.control"));
    if (!complete) return base::fail(std::move(complete.error()));
  }

  std::unique_ptr<Capturer> capturer(new Capturer(options, {.pins = std::move(pins),
                                                            .program = std::move(program),
                                                            .table = std::move(*table),
                                                            .totals = *totals,
                                                            .selector = std::move(*selector),
                                                            .pressure = std::move(*pressure),
                                                            .watch = std::move(*watch),
                                                            .epoll = std::move(*epoll),
                                                            .drops = std::move(drops),
                                                            .underlay = std::nullopt}));
  capturer->limits_ = std::move(limits);
  capturer->adopted_ = adopted;
  capturer->foreign_ = std::move(foreign);
  return capturer;
}

Capturer::~Capturer() {
  if (!parts_.pins) return;
  if (drained_for_good_) {
    parts_.pins->remove_all();
    return;
  }
  if (attachment_) std::move(*attachment_).leave();
  if (parts_.underlay) parts_.underlay->leave();
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
  std::vector<Event> events;
  look_at_device(events);
  // After it, because its programs take as long to verify as ours do, and every packet until then is not
  // counted.
  open_underlay();
  look_at_underlay(events);
  std::vector<Event> all = std::exchange(limits_, {});
  std::ranges::move(events, std::back_inserter(all));
  return all;
}

void Capturer::look_at_device(std::vector<Event>& events) {
  const auto looked = parts_.watch.find(options_.interface);
  const std::optional<Device> device = looked.value_or(std::nullopt);
  if (attachment_) {
    if (device && device->index == attachment_->device().index && attachment_->alive()) return;
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
}

/// Once. Also before anything is read: what an earlier run left there goes on counting.
void Capturer::open_underlay() {
  if (std::exchange(underlay_opened_, true)) return;
  if (options_.underlay.enabled) {
    UnderlayOptions underlay_options = options_.underlay;
    underlay_options.pins = parts_.pins.get();
    auto opened = UnderlayCounter::open(*parts_.program, std::move(underlay_options), options_.interface,
                                        options_.mode);
    if (opened) {
      parts_.underlay.emplace(std::move(*opened));
    } else {
      limits_.push_back(
          {.kind = Event::Kind::kLimited,
           .text = fmt::format("tailscaled's own traffic is not counted: {}", opened.error().text())});
    }
  }
  if (parts_.pins && !parts_.underlay) UnderlayCounter::remove(*parts_.pins);
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
  if (parts_.pins) DropWatch::remove(parts_.pins->maps());
  detached_ = true;
}

void Capturer::lose_interface() {
  attachment_.reset();
  ++gaps_;
  gap_since_ns_ = base::now().boot_ns;
  if (parts_.drops) parts_.drops->watch_none();
}

Event Capturer::attach_to(const Device& device) {
  if (parts_.drops) parts_.drops->watch(device);
  auto attachment =
      Attachment::attach(*parts_.program, device, options_.mode,
                         {.directory = parts_.pins ? &parts_.pins->links() : nullptr, .name = "main"});
  if (!attachment) return {.kind = Event::Kind::kAttachFailed, .text = attachment.error().text()};
  const std::string_view kind = attachment_.emplace(std::move(*attachment)).kind();
  attached_since_ = base::now();
  if (!attachment_->adopted()) {
    parts_.program->control().device_dropped = parts_.watch.dropped(options_.interface).value_or(0);
  }
  std::string text =
      fmt::format("counting {} (index {}, {}) by {}{}", options_.interface, to_int(device.index),
                  device.link_layer == LinkLayer::kL3 ? "layer 3" : "Ethernet", kind,
                  attachment_->adopted() ? ", as it was counted all the time since an earlier run" : "");
  if (gap_since_ns_) {
    const std::int64_t gap_ns = base::now().boot_ns - *gap_since_ns_;
    uncounted_ns_ += gap_ns;
    gap_since_ns_.reset();
    text += fmt::format(", after {:.3f} s in which nothing was counted", static_cast<double>(gap_ns) * 1e-9);
  }
  return {.kind = Event::Kind::kAttached, .text = std::move(text)};
}

/// The device's own drops since the last call, where they are not taken off the flows.
void Capturer::take_device_dropped() {
  ft_control& control = parts_.program->control();
  control.device_dropped_retired = 0;
  if (parts_.drops || !attachment_) return;
  const auto now = parts_.watch.dropped(options_.interface);
  if (!now || *now < control.device_dropped) return;
  control.device_dropped_retired = *now - control.device_dropped;
  control.device_dropped = *now;
}

/// Once, when nothing but ours counts any more.
base::Status Capturer::close_foreign() {
  if (foreign_closed_) return {};
  // Ours have taken the place of their programs, but for those on a device that we could not have.
  if (!attachment_) {
    for (const Direction direction : {Direction::kRx, Direction::kTx}) {
      PinnedHook(parts_.pins->links(), "main", direction).remove();
    }
  }
  for (ForeignGenerations& one : foreign_) {
    if (auto closed = one.close(*parts_.pins, base::now()); !closed) {
      return base::fail(std::move(closed.error()).during("take over what another version counted"));
    }
  }
  foreign_closed_ = true;
  return {};
}

/// Of the generation that a drain of our own maps gives next.
std::uint64_t Capturer::next_own_epoch() const noexcept {
  const GenerationIndex active = parts_.selector.active();
  return parts_.selector.state_of(parts_.selector.retired() ? other(active) : active).epoch;
}

base::Result<const model::Generation*> Capturer::drain_foreign() {
  if (auto quiet = parts_.selector.barrier(); !quiet) return base::fail(std::move(quiet.error()));
  auto generation = foreign_.back().read();
  if (!generation) return base::fail(std::move(generation.error()));
  generation_is_foreign_ = true;
  return &generation_.emplace(std::move(*generation));
}

base::Result<const model::Generation*> Capturer::drain() {
  if (generation_) return &*generation_;
  open_underlay();
  if (!foreign_.empty()) {
    // Whoever keeps records takes a number below the latest one for written: all go in the order of their
    // numbers, those of maps of our own too, in which we may have counted before the others did.
    if (auto closed = close_foreign(); !closed) return base::fail(std::move(closed.error()));
    std::ranges::sort(foreign_, std::ranges::greater{}, &ForeignGenerations::epoch);
    if (foreign_.back().epoch() < next_own_epoch()) return drain_foreign();
  }
  if (!parts_.selector.retired()) {
    take_device_dropped();
    parts_.selector.flip(base::now(), !foreign_.empty());
    flipped_after_detach_ = detached_;
  }
  const GenerationIndex index = other(parts_.selector.active());
  const ft_generation& state = parts_.selector.state_of(index);
  model::Generation generation{.epoch = state.epoch,
                               .start = moment_of(state.start_boot_ns, state.start_wall_ns),
                               .end = moment_of(state.end_boot_ns, state.end_wall_ns)};
  auto step = parts_.selector.barrier();
  if (step) step = parts_.totals.read(index, generation);
  if (step) step = parts_.table->read(index, generation);
  if (step && parts_.underlay) step = parts_.underlay->read(index, generation);
  if (!step) {
    return base::fail(std::move(step.error()).during(fmt::format("drain generation {}", generation.epoch)));
  }
  generation.totals.device_dropped = parts_.program->control().device_dropped_retired;
  return &generation_.emplace(std::move(generation));
}

base::Result<model::Generation> Capturer::peek() {
  open_underlay();
  const GenerationIndex index = parts_.selector.active();
  const ft_generation& state = parts_.selector.state_of(index);
  model::Generation generation{
      .epoch = state.epoch, .start = moment_of(state.start_boot_ns, state.start_wall_ns), .end = base::now()};
  auto step = parts_.totals.read(index, generation);
  if (step) step = parts_.table->read(index, generation);
  if (step && parts_.underlay) step = parts_.underlay->read(index, generation);
  if (!step) return base::fail(std::move(step.error()).during("look at the active generation"));
  return generation;
}

bool Capturer::has_backlog() const noexcept {
  return !generation_ && (!foreign_.empty() || parts_.selector.retired());
}

base::Status Capturer::acknowledge() {
  FLOWTALLY_CHECK(generation_.has_value());
  if (std::exchange(generation_is_foreign_, false)) {
    generation_.reset();
    if (!foreign_.back().forget()) foreign_.pop_back();
    return {};
  }
  FLOWTALLY_CHECK(parts_.selector.retired().has_value());
  const GenerationIndex index = other(parts_.selector.active());
  const model::Generation& drained = generation_.value();
  auto step = parts_.table->reset(index, drained);
  if (step) step = parts_.totals.reset(index, drained);
  if (step && parts_.underlay) step = parts_.underlay->reset(index, drained);
  if (!step) {
    return base::fail(std::move(step.error()).during(fmt::format("clear generation {}", drained.epoch)));
  }
  parts_.selector.forget_retired();
  generation_.reset();
  drained_for_good_ = flipped_after_detach_ && foreign_.empty();
  return {};
}

Status Capturer::status() const {
  return {.attached = attachment_.has_value(),
          .adopted = adopted_,
          .attached_by = attachment_ ? std::string(attachment_->kind()) : std::string{},
          .ifindex = attachment_ ? static_cast<std::uint32_t>(to_int(attachment_->device().index)) : 0,
          .attached_since = attached_since_,
          .failure = last_failure_,
          .epoch = parts_.selector.epoch(),
          .capacity = parts_.table->capacity(parts_.selector.active()),
          .drops_taken_off = parts_.drops.has_value(),
          .gaps = gaps_,
          .uncounted_ns = uncounted_ns_ + (gap_since_ns_ ? base::now().boot_ns - *gap_since_ns_ : 0)};
}

}  // namespace flowtally::capture
