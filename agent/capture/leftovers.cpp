#include "capture/leftovers.hpp"

#include <array>
#include <string_view>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/unique_fd.hpp"
#include "capture/clsact.hpp"
#include "capture/libbpf_log.hpp"
#include "capture/links.hpp"
#include "capture/pinned_hook.hpp"

namespace flowtally::capture {
namespace {

/// libbpf names a filter after its program, and the kernel cuts a program's name to 15 bytes.
constexpr std::array<std::string_view, 4> kProgramNames = {"ft_egress_", "ft_ingress_", "ft_under_egress",
                                                           "ft_under_ingres"};

bool is_ours(const BpfFilter& filter) noexcept {
  for (const std::string_view name : kProgramNames) {
    if (filter.name.starts_with(name)) return true;
  }
  return false;
}

template <class Wanted>
std::size_t take_off(IfIndex device, Direction direction, const Wanted& wanted) {
  const auto filters = bpf_filters(device, direction);
  if (!filters) return 0;
  const LibbpfLog log;
  std::size_t taken = 0;
  for (const BpfFilter& filter : *filters) {
    if (!wanted(filter)) continue;
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = to_int(device),
                .attach_point = direction == Direction::kTx ? BPF_TC_EGRESS : BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = filter.handle, .priority = filter.priority);
    if (bpf_tc_detach(&hook, &options) == 0) ++taken;
  }
  return taken;
}

}  // namespace

std::size_t take_off_filters(bool made_qdisc) noexcept {
  std::size_t taken = 0;
  const auto links = read_links();
  if (!links) return 0;
  for (const Link& link : *links) {
    const auto device = static_cast<IfIndex>(link.index);
    const std::size_t here =
        take_off(device, Direction::kTx, is_ours) + take_off(device, Direction::kRx, is_ours);
    taken += here;
    if (here == 0 || !made_qdisc || !clsact_is_empty(device)) continue;
    const LibbpfLog log;
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = to_int(device),
                .attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
    bpf_tc_hook_destroy(&hook);
  }
  return taken;
}

void take_off_filter_of(const PinDirectory& directory, const std::string& pin) noexcept {
  // The kernel would tell a link's number just as readily, and it may be that of somebody's program.
  if (!PinnedHook::names_program(pin)) return;
  const auto pinned = directory.get(pin);
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  if (!pinned || !pinned->valid() || bpf_prog_get_info_by_fd(pinned->get(), &info, &length) != 0) return;
  const auto links = read_links();
  if (!links) return;
  const auto is_it = [&info](const BpfFilter& filter) { return filter.program_id == info.id; };
  for (const Link& link : *links) {
    const auto device = static_cast<IfIndex>(link.index);
    take_off(device, Direction::kTx, is_it);
    take_off(device, Direction::kRx, is_it);
  }
}

base::Result<Leftovers> remove_leftovers(const std::string& bpffs, std::chrono::milliseconds wait) {
  auto root = PinDirectory::root(bpffs);
  if (!root) return base::fail(std::move(root.error()));
  Leftovers leftovers;
  std::vector<PinDirectory> directories;
  std::vector<base::UniqueFd> locks;  // held from here on: no agent takes one up while it is removed
  bool made_qdisc = false;
  for (const std::string& name : root->names()) {
    auto directory = root->make(name);
    if (!directory) return base::fail(std::move(directory.error()).during("nothing was removed"));
    auto locked = directory->lock(wait);
    if (!locked) return base::fail(std::move(locked.error()).during("nothing was removed"));
    for (const std::string& pin : directory->names()) made_qdisc |= pin.ends_with("_made_qdisc");
    locks.push_back(std::move(*locked));
    directories.push_back(std::move(*directory));
  }
  leftovers.filters = take_off_filters(made_qdisc);
  for (const PinDirectory& directory : directories) {
    directory.remove_all();
    leftovers.pins.push_back(directory.path());
  }
  root->remove_all();
  return leftovers;
}

}  // namespace flowtally::capture
