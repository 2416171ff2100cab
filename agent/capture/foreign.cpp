#include "capture/foreign.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <bpf/bpf.h>
#include <fmt/format.h>

#include "capture/drops.hpp"
#include "capture/generation_maps.hpp"
#include "capture/percpu_array.hpp"
#include "capture/percpu_entries.hpp"
#include "capture/totals_maps.hpp"
#include "capture/underlay.hpp"

namespace flowtally::capture {
namespace {

/// The control block as far as both versions have it; nothing where it is no control block.
std::optional<ft_control> read_control(const PinDirectory& maps) {
  const auto fd = maps.get(".data.control");
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  if (!fd || !fd->valid() || bpf_map_get_info_by_fd(fd->get(), &info, &length) != 0) return std::nullopt;
  std::vector<std::byte> bytes(std::max<std::size_t>(info.value_size, sizeof(ft_control)));
  const std::uint32_t slot = 0;
  if (info.value_size < sizeof(ft_control) || bpf_map_lookup_elem(fd->get(), &slot, bytes.data()) != 0) {
    return std::nullopt;
  }
  ft_control control{};
  std::memcpy(&control, bytes.data(), sizeof(control));
  return control;
}

base::Moment moment(std::uint64_t boot_ns, std::uint64_t wall_ns) noexcept {
  return {.boot_ns = static_cast<std::int64_t>(boot_ns), .wall_ns = static_cast<std::int64_t>(wall_ns)};
}

}  // namespace

base::Result<std::vector<ForeignGenerations>> ForeignGenerations::open(const Pins& pins) {
  const auto cpus = possible_cpus();
  if (!cpus) return base::fail(cpus.error());
  std::vector<ForeignGenerations> found;
  for (PinDirectory& maps : pins.foreign_maps()) {
    const auto control = Pins::complete(maps) ? read_control(maps) : std::nullopt;
    if (!control) {
      maps.remove_all();
      continue;
    }
    found.push_back(ForeignGenerations(std::move(maps), *cpus, *control));
  }
  return found;
}

base::Status ForeignGenerations::close(const Pins& pins, base::Moment now) {
  DropWatch::remove(maps_);
  auto aside = pins.set_aside(maps_, now);
  if (!aside) return base::fail(std::move(aside.error()));
  maps_ = std::move(*aside);
  now = Pins::set_aside_since(maps_).value_or(now);
  if (const auto control = read_control(maps_)) control_ = *control;
  const auto active = static_cast<GenerationIndex>(control_.active & 1U);
  ft_generation last = control_.generation[to_index(active)];
  last.end_boot_ns = static_cast<std::uint64_t>(now.boot_ns);
  last.end_wall_ns = static_cast<std::uint64_t>(now.wall_ns);
  turns_ = {{.index = active, .state = last}};
  const ft_generation& retired = control_.generation[to_index(other(active))];
  if (retired.end_boot_ns != 0) turns_.push_back({.index = other(active), .state = retired});
  return {};
}

base::Result<model::Generation> ForeignGenerations::read() {
  const auto& [index, state] = turns_.back();
  model::Generation generation{.epoch = state.epoch,
                               .start = moment(state.start_boot_ns, state.start_wall_ns),
                               .end = moment(state.end_boot_ns, state.end_wall_ns)};
  auto step = read_totals(index, generation);
  if (step) step = read_table("flows4", "ft_flows4", index, generation.flows4);
  if (step) step = read_table("flows6", "ft_flows6", index, generation.flows6);
  if (step) step = read_table("coarse", "ft_coarse", index, generation.coarse);
  if (step) step = read_underlay(index, generation);
  if (!step) {
    return base::fail(std::move(step.error())
                          .during(fmt::format("drain generation {}, which was counted by ABI version {}",
                                              generation.epoch, abi_version())));
  }
  return generation;
}

bool ForeignGenerations::forget() noexcept {
  if (!turns_.empty()) turns_.pop_back();
  if (turns_.empty()) maps_.remove_all();
  return !turns_.empty();
}

template <class Key>
base::Status ForeignGenerations::read_table(const char* outer, const char* name, GenerationIndex index,
                                            std::vector<model::Entry<Key>>& into) {
  const auto outer_fd = maps_.get(outer);
  if (!outer_fd) return base::fail(outer_fd.error());
  if (!outer_fd->valid()) return {};  // what that version did not count
  const auto map = adopt_generation_map({.name = name, .outer_fd = outer_fd->get()}, index, cpus_, &maps_);
  if (!map) return base::fail(map.error());
  if (!*map) return {};
  return read_entries(**map, scratch_, 0, into);
}

base::Status ForeignGenerations::read_totals(GenerationIndex index, model::Generation& into) const {
  const auto totals_fd = maps_.get("totals");
  if (!totals_fd) return base::fail(totals_fd.error());
  const auto totals = read_foreign_cpus<ft_totals>(totals_fd->get(), index, cpus_, "totals");
  if (!totals) return base::fail(totals.error());
  into.totals = sum_totals(*totals);
  if (into.totals.rest.zero()) return {};
  const auto rest_fd = maps_.get("rest");
  if (!rest_fd) return base::fail(rest_fd.error());
  const auto rest = read_foreign_cpus<ft_rest>(rest_fd->get(), index, cpus_, "rest");
  if (!rest) return base::fail(rest.error());
  into.rest = sum_rest(*rest);
  return {};
}

base::Status ForeignGenerations::read_underlay(GenerationIndex index, model::Generation& into) {
  const auto totals_fd = maps_.get("underlay_totals");
  if (!totals_fd) return base::fail(totals_fd.error());
  if (!totals_fd->valid()) return {};
  const auto totals =
      read_foreign_cpus<ft_underlay_totals>(totals_fd->get(), index, cpus_, "totals of the underlay");
  if (!totals) return base::fail(totals.error());
  into.underlay = sum_underlay(*totals);
  into.underlay.counted = !into.underlay.hook.zero() || !into.underlay.tcp.zero();
  return read_table("physical", "ft_physical", index, into.physical);
}

}  // namespace flowtally::capture
