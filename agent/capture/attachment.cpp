#include "capture/attachment.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include "base/check.hpp"
#include "capture/clsact.hpp"
#include "capture/libbpf_log.hpp"
#include "capture/pinned_hook.hpp"

namespace flowtally::capture {
namespace {

/// Where our filters go first, per direction: first on ingress, behind the priorities that tools and the
/// kernel hand out (0xC000 downwards, tcf_auto_prio in net/sched/cls_api.c) on egress.
constexpr std::uint32_t kPriorityRx = 1;
constexpr std::uint32_t kPriorityTx = 0xFF00;
/// Other places tried where a classifier of another kind holds the first one.
constexpr std::uint32_t kPriorityTries = 16;

constexpr bpf_attach_type tcx_type(Direction direction) noexcept {
  return direction == Direction::kTx ? BPF_TCX_EGRESS : BPF_TCX_INGRESS;
}

constexpr bpf_tc_attach_point tc_point(Direction direction) noexcept {
  return direction == Direction::kTx ? BPF_TC_EGRESS : BPF_TC_INGRESS;
}

/// The qdisc itself, as bpf_tc_hook_destroy() wants it named.
constexpr auto kBothSides = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);

std::string hook_text(IfIndex device, Direction direction) {
  return fmt::format("the {} hook of the device with index {}",
                     direction == Direction::kTx ? "egress" : "ingress", to_int(device));
}

base::Result<std::uint32_t> program_id(int program_fd) {
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  if (bpf_prog_get_info_by_fd(program_fd, &info, &length) != 0) {
    return base::fail(base::Error::from_errno(errno, "read the id of our BPF program"));
  }
  return info.id;
}

}  // namespace

base::Result<TcxLink> TcxLink::attach(int program_fd, IfIndex device, Direction direction) {
  const LibbpfLog log;
  // BPF_F_BEFORE or BPF_F_AFTER without a relative program: the head or the tail of the list.
  LIBBPF_OPTS(bpf_link_create_opts, options,
              .flags = direction == Direction::kTx ? BPF_F_AFTER : BPF_F_BEFORE);
  base::UniqueFd link(bpf_link_create(program_fd, to_int(device), tcx_type(direction), &options));
  if (link.valid()) return TcxLink(std::move(link));
  const int error = errno;
  const std::string what = fmt::format("attach by TCX to {}", hook_text(device, direction));
  // A kernel without TCX knows no such attach type: EINVAL from bpf_prog_attach_check or link_create.
  if (error == EINVAL || error == EOPNOTSUPP || error == 524) {
    return base::fail(base::Error(base::ErrorCode::kUnsupported, what));
  }
  return base::fail(base::Error::from_errno(error, what));
}

base::Result<TcxLink> TcxLink::adopt(base::UniqueFd link, int program_fd, IfIndex device) {
  bpf_link_info info{};
  std::uint32_t length = sizeof(info);
  if (bpf_link_get_info_by_fd(link.get(), &info, &length) != 0) {
    return base::fail(base::Error::from_errno(errno, "ask what a pinned link is"));
  }
  if (info.type != BPF_LINK_TYPE_TCX || info.tcx.ifindex != static_cast<std::uint32_t>(to_int(device))) {
    return base::fail(base::Error(base::ErrorCode::kNotFound, "the pinned link is not on this device"));
  }
  const LibbpfLog log;
  if (bpf_link_update(link.get(), program_fd, nullptr) != 0) {
    return base::fail(base::Error::from_errno(errno, "put our program in place of an earlier run's (TCX)"));
  }
  return TcxLink(std::move(link));
}

bool TcxLink::alive() const noexcept {
  bpf_link_info info{};
  std::uint32_t length = sizeof(info);
  return bpf_link_get_info_by_fd(link_.get(), &info, &length) == 0 && info.tcx.ifindex != 0;
}

base::Result<ClsactFilter> ClsactFilter::attach(int program_fd, IfIndex device, Direction direction) {
  const LibbpfLog log;
  const std::string what = fmt::format("attach by clsact to {}", hook_text(device, direction));
  const auto id = program_id(program_fd);
  if (!id) return base::fail(base::Error(id.error()).during(what));

  ClsactFilter filter;
  filter.device_ = device;
  filter.direction_ = direction;
  filter.program_id_ = *id;
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = to_int(device), .attach_point = tc_point(direction));
  const int created = bpf_tc_hook_create(&hook);
  if (created != 0 && created != -EEXIST) {
    return base::fail(base::Error::from_errno(-created, fmt::format("{}: add the clsact qdisc", what)));
  }
  filter.made_qdisc_ = created == 0;

  int error = 0;
  const std::uint32_t first = direction == Direction::kTx ? kPriorityTx : kPriorityRx;
  for (std::uint32_t attempt = 0; attempt < kPriorityTries; ++attempt) {
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program_fd, .priority = first + attempt);
    error = bpf_tc_attach(&hook, &options);
    if (error == 0) {
      filter.handle_ = options.handle;
      filter.priority_ = options.priority;
      return filter;
    }
    if (error != -EINVAL && error != -EEXIST && error != -EBUSY) break;  // not "that place is taken"
  }
  return base::fail(base::Error::from_errno(-error, fmt::format("{} ({})", what, log.tail())));
}

base::Result<ClsactFilter> ClsactFilter::adopt(std::uint32_t id, bool made_qdisc, int program_fd,
                                               IfIndex device, Direction direction) {
  const auto filters = bpf_filters(device, direction);
  if (!filters) return base::fail(filters.error());
  const auto found = std::ranges::find(*filters, id, &BpfFilter::program_id);
  if (found == filters->end()) {
    return base::fail(
        base::Error(base::ErrorCode::kNotFound, "no filter of an earlier run is on this device"));
  }
  const auto own_id = program_id(program_fd);
  if (!own_id) return base::fail(own_id.error());
  const LibbpfLog log;
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = to_int(device), .attach_point = tc_point(direction));
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program_fd, .flags = BPF_TC_F_REPLACE, .handle = found->handle,
              .priority = found->priority);
  if (const int error = bpf_tc_attach(&hook, &options); error != 0) {
    return base::fail(
        base::Error::from_errno(-error, fmt::format("put our program in place of an earlier run's on {} ({})",
                                                    hook_text(device, direction), log.tail())));
  }
  ClsactFilter filter;
  filter.device_ = device;
  filter.direction_ = direction;
  filter.program_id_ = *own_id;
  filter.handle_ = found->handle;
  filter.priority_ = found->priority;
  filter.made_qdisc_ = made_qdisc;
  return filter;
}

ClsactFilter& ClsactFilter::operator=(ClsactFilter&& other) noexcept {
  if (this != &other) {
    detach();
    device_ = other.device_;
    direction_ = other.direction_;
    handle_ = std::exchange(other.handle_, 0);
    priority_ = other.priority_;
    program_id_ = other.program_id_;
    made_qdisc_ = std::exchange(other.made_qdisc_, false);
  }
  return *this;
}

bool ClsactFilter::alive() const noexcept {
  const LibbpfLog log;
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = to_int(device_), .attach_point = tc_point(direction_));
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle_, .priority = priority_);
  return bpf_tc_query(&hook, &options) == 0 && options.prog_id == program_id_;
}

void ClsactFilter::detach() noexcept {
  const LibbpfLog log;
  if (handle_ != 0 && alive()) {
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = to_int(device_), .attach_point = tc_point(direction_));
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle_, .priority = priority_);
    bpf_tc_detach(&hook, &options);
  }
  handle_ = 0;
  if (made_qdisc_ && clsact_is_empty(device_)) {
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = to_int(device_), .attach_point = kBothSides);
    bpf_tc_hook_destroy(&hook);
  }
  made_qdisc_ = false;
}

base::Result<Attachment::Hook> Attachment::attach_hook(int program_fd, const Device& device,
                                                       Direction direction, AttachMode mode) {
  if (mode != AttachMode::kClsact) {
    auto link = TcxLink::attach(program_fd, device.index, direction);
    if (link) return Hook(std::move(*link));
    if (mode == AttachMode::kTcx || link.error().code() != base::ErrorCode::kUnsupported) {
      return base::fail(std::move(link.error()));
    }
  }
  auto filter = ClsactFilter::attach(program_fd, device.index, direction);
  if (!filter) return base::fail(std::move(filter.error()));
  return Hook(std::move(*filter));
}

base::Result<Attachment> Attachment::attach(const HookPrograms& programs, const Device& device,
                                            AttachMode mode, AttachmentPins pins) {
  const auto attach_side = [&](int program_fd, Direction direction) -> base::Result<Attached> {
    if (pins.directory == nullptr) {
      auto hook = attach_hook(program_fd, device, direction, mode);
      if (!hook) return base::fail(std::move(hook.error()));
      return Attached{.hook = std::move(*hook)};
    }
    const PinnedHook pinned(*pins.directory, pins.name, direction);
    if (mode != AttachMode::kClsact) {
      if (auto link = pinned.adopt_link(program_fd, device)) return Attached{std::move(*link), true};
    }
    if (mode != AttachMode::kTcx) {
      if (auto filter = pinned.adopt_filter(program_fd, device)) return Attached{std::move(*filter), true};
    }
    pinned.remove();
    // A link without a pin goes with us; a filter stays, so it has its pin first.
    if (auto pinned_program = pinned.pin_program(program_fd); !pinned_program)
      return base::fail(std::move(pinned_program.error()));
    auto hook = attach_hook(program_fd, device, direction, mode);
    auto kept = hook ? pinned.keep(*hook) : base::Status(base::fail(std::move(hook.error())));
    if (!kept) {
      pinned.remove();
      return base::fail(std::move(kept.error()));
    }
    return Attached{.hook = std::move(*hook)};
  };
  // The one that made the qdisc must be destroyed last: members are destroyed in reverse order, rx_ after
  // tx_.
  auto rx = attach_side(programs.rx, Direction::kRx);
  if (!rx) return base::fail(std::move(rx.error()));
  auto tx = attach_side(programs.tx, Direction::kTx);
  if (!tx) {
    if (pins.directory != nullptr) PinnedHook(*pins.directory, pins.name, Direction::kRx).remove();
    return base::fail(std::move(tx.error()));
  }
  return Attachment(device, std::move(pins), std::move(*rx), std::move(*tx));
}

base::Result<Attachment> Attachment::attach(Program& program, const Device& device, AttachMode mode,
                                            AttachmentPins pins) {
  const auto programs = program.programs(device.link_layer);
  if (!programs) return base::fail(programs.error());
  return attach(*programs, device, mode, std::move(pins));
}

Attachment::Attachment(Attachment&& other) noexcept
    : device_(other.device_),
      pins_(std::exchange(other.pins_, {})),
      adopted_(other.adopted_),
      rx_(std::move(other.rx_)),
      tx_(std::move(other.tx_)) {}

Attachment& Attachment::operator=(Attachment&& other) noexcept {
  if (this != &other) {
    remove_pins();
    device_ = other.device_;
    pins_ = std::exchange(other.pins_, {});
    adopted_ = other.adopted_;
    tx_ = std::move(other.tx_);
    rx_ = std::move(other.rx_);
  }
  return *this;
}

void Attachment::remove_pins() noexcept {
  if (pins_.directory == nullptr) return;
  PinnedHook(*pins_.directory, pins_.name, Direction::kRx).remove();
  PinnedHook(*pins_.directory, pins_.name, Direction::kTx).remove();
}

void Attachment::leave() && {
  FLOWTALLY_CHECK(pins_.directory != nullptr);
  pins_ = {};
  for (Hook* hook : {&rx_, &tx_}) {
    if (auto* const filter = std::get_if<ClsactFilter>(hook)) filter->leave();
  }
}

std::string_view Attachment::kind() const noexcept {
  return std::holds_alternative<TcxLink>(rx_) ? "TCX" : "clsact";
}

bool Attachment::alive() const {
  const auto hook_alive = [](const auto& hook) { return hook.alive(); };
  return std::visit(hook_alive, rx_) && std::visit(hook_alive, tx_);
}

}  // namespace flowtally::capture
