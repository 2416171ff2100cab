#include "capture/pinned_hook.hpp"

#include <algorithm>
#include <utility>

#include <bpf/bpf.h>

#include "capture/clsact.hpp"

namespace flowtally::capture {
namespace {

bool is_filter(std::uint32_t program_id, const Device& device, Direction direction) {
  if (program_id == 0) return false;
  const auto filters = bpf_filters(device.index, direction);
  return filters && std::ranges::any_of(*filters, [program_id](const BpfFilter& filter) {
           return filter.program_id == program_id;
         });
}

}  // namespace

std::optional<TcxLink> PinnedHook::adopt_link(int program_fd, const Device& device) const {
  auto pinned = directory_.get(link_);
  if (!pinned || !pinned->valid()) return std::nullopt;
  auto link = TcxLink::adopt(std::move(*pinned), program_fd, device.index);
  if (!link || !directory_.put(program(), program_fd)) return std::nullopt;
  return std::move(*link);
}

std::optional<ClsactFilter> PinnedHook::adopt_filter(int program_fd, const Device& device) const {
  std::uint32_t id = program_id_of(program());
  // Somebody was killed after the filter was replaced and before its program had its name.
  if (const std::uint32_t next = program_id_of(next_program()); is_filter(next, device, direction_)) {
    if (!directory_.rename(next_program(), program())) return std::nullopt;
    id = next;
  }
  if (id == 0 || !directory_.put(next_program(), program_fd)) return std::nullopt;
  auto filter = ClsactFilter::adopt(id, directory_.has(made_qdisc()), program_fd, device.index, direction_);
  if (!filter || !directory_.rename(next_program(), program())) return std::nullopt;
  return std::move(*filter);
}

std::uint32_t PinnedHook::program_id_of(const std::string& name) const {
  const auto pinned = directory_.get(name);
  bpf_prog_info info{};
  std::uint32_t length = sizeof(info);
  if (!pinned || !pinned->valid() || bpf_prog_get_info_by_fd(pinned->get(), &info, &length) != 0) return 0;
  return info.id;
}

base::Status PinnedHook::pin_program(int program_fd) const { return directory_.put(program(), program_fd); }

base::Status PinnedHook::keep(const std::variant<TcxLink, ClsactFilter>& hook) const {
  if (const auto* const link = std::get_if<TcxLink>(&hook)) return directory_.put(link_, link->fd());
  if (!std::get<ClsactFilter>(hook).made_qdisc()) return {};
  const auto pinned = directory_.get(program());
  if (!pinned) return base::fail(pinned.error());
  return directory_.put(made_qdisc(), pinned->get());  // any object: the name is what it says
}

void PinnedHook::remove() const noexcept {
  for (const std::string& name : {link_, program(), next_program(), made_qdisc()}) directory_.remove(name);
}

}  // namespace flowtally::capture
