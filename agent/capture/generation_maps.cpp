#include "capture/generation_maps.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include <bpf/bpf.h>
#include <fmt/format.h>

namespace flowtally::capture {
namespace {

std::string pin_of(const GenerationMaps& maps, GenerationIndex index) {
  return fmt::format("{}_{}", maps.name, to_index(index));
}

/// A map that is pinned and perhaps not in place yet. There are two names, so that at no instant the map in
/// place is without one.
std::string next_pin_of(const GenerationMaps& maps, GenerationIndex index) {
  return pin_of(maps, index) + "_next";
}

std::uint32_t id_of(int map_fd) noexcept {
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  return bpf_map_get_info_by_fd(map_fd, &info, &length) == 0 ? info.id : 0;
}

}  // namespace

base::Status place_generation_map(const GenerationMaps& maps, GenerationIndex index, const PercpuMap& map,
                                  const PinDirectory* pins) {
  if (pins != nullptr) {
    if (auto pinned = pins->put(next_pin_of(maps, index), map.fd()); !pinned) return pinned;
  }
  const std::uint32_t slot = to_index(index);
  const int fd = map.fd();
  if (bpf_map_update_elem(maps.outer_fd, &slot, &fd, BPF_ANY) != 0) {
    return base::fail(
        base::Error::from_errno(errno, fmt::format("put {} in place as generation {}", maps.name, slot)));
  }
  if (pins == nullptr) return {};
  return pins->rename(next_pin_of(maps, index), pin_of(maps, index));
}

base::Result<std::optional<PercpuMap>> adopt_generation_map(const GenerationMaps& maps, GenerationIndex index,
                                                            std::uint32_t cpus, const PinDirectory* pins) {
  if (pins == nullptr) return std::nullopt;
  // From user space the look-up in a map-in-map gives the id of the inner map (map_fd_sys_lookup_elem).
  const std::uint32_t slot = to_index(index);
  std::uint32_t id = 0;
  if (bpf_map_lookup_elem(maps.outer_fd, &slot, &id) != 0) return std::nullopt;
  for (const std::string& name : {pin_of(maps, index), next_pin_of(maps, index)}) {
    auto fd = pins->get(name);
    if (!fd) return base::fail(std::move(fd.error()));
    if (!fd->valid() || id_of(fd->get()) != id) continue;
    auto map = PercpuMap::adopt(std::move(*fd), cpus);
    if (!map) return base::fail(std::move(map.error()));
    if (name == next_pin_of(maps, index)) {
      if (auto renamed = pins->rename(name, pin_of(maps, index)); !renamed)
        return base::fail(std::move(renamed.error()));
    }
    return std::optional(std::move(*map));
  }
  return base::fail(base::Error(base::ErrorCode::kCorrupt,
                                fmt::format("{} of generation {} is in place but not pinned in {}", maps.name,
                                            slot, pins->path()))
                        .advise("Start anew with `flowtally run --fresh`; what was not drained is lost"));
}

}  // namespace flowtally::capture
