#include "capture/underlay.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include "base/clock.hpp"
#include "capture/generation_maps.hpp"
#include "capture/leftovers.hpp"
#include "capture/percpu_array.hpp"
#include "capture/percpu_entries.hpp"
#include "capture/underlay_devices.hpp"
#include "underlay.skel.h"

namespace flowtally::capture {
namespace {

constexpr HookObject::Names kProgramNames = {{{"ft_under_egress_l3", "ft_under_ingress_l3"},
                                              {"ft_under_egress_ethernet", "ft_under_ingress_ethernet"}}};

/// Pins of an attachment begin with it and the device's index.
constexpr std::string_view kPinPrefix = "under";

std::string pin_name_of(IfIndex device) { return fmt::format("{}{}", kPinPrefix, to_int(device)); }

ft_address_key key_of(const model::Address& address) noexcept {
  ft_address_key key{};
  std::memcpy(key.address, address.bytes.data(), sizeof(key.address));
  key.family = static_cast<__u32>(address.family);
  return key;
}

/// Changes a port's word where it still is `from`: the program may write it meanwhile.
void change(__u8& port, ft_port from, ft_port to) noexcept {
  auto expected = static_cast<__u8>(from);
  const std::atomic_ref word(port);
  if (word.load(std::memory_order_relaxed) != expected) return;  // nearly all; and no cache line is taken
  word.compare_exchange_strong(expected, static_cast<__u8>(to), std::memory_order_relaxed);
}

}  // namespace

std::span<const std::byte> underlay_image() noexcept {
  std::size_t size = 0;
  const void* const bytes = underlay::elf_bytes(&size);
  return {static_cast<const std::byte*>(bytes), size};
}

model::Underlay sum_underlay(std::span<const ft_underlay_totals> cpus) noexcept {
  model::Underlay sums{};
  for (const ft_underlay_totals& cpu : cpus) {
    add(sums.hook, cpu.hook);
    add(sums.disco, cpu.left_out[FT_DATAGRAM_DISCO]);
    add(sums.stun, cpu.left_out[FT_DATAGRAM_STUN]);
    add(sums.other, cpu.left_out[FT_DATAGRAM_OTHER]);
    add(sums.rest, cpu.rest);
    add(sums.tcp, cpu.tcp);
  }
  return sums;
}

void UnderlayCounter::PortsDeleter::operator()(ft_ports* ports) const noexcept {
  ::munmap(ports, sizeof(ft_ports));
}

base::Result<UnderlayCounter> UnderlayCounter::open(const Program& program, UnderlayOptions options,
                                                    std::string counted, AttachMode mode) {
  const auto cpus = possible_cpus();
  if (!cpus) return base::fail(cpus.error());
  const PinDirectory* const maps = options.pins != nullptr ? &options.pins->maps() : nullptr;
  auto object = HookObject::load({.image = underlay_image(),
                                  .what = "BPF program for the underlay",
                                  .shares = &program.object(),
                                  .pins = maps},
                                 kProgramNames, LinkLayer::kEthernet);
  if (!object) return base::fail(std::move(object.error()));
  void* const block = ::mmap(nullptr, sizeof(ft_ports), PROT_READ | PROT_WRITE, MAP_SHARED,
                             object->object().map_fd(".data.ports"), 0);
  if (block == MAP_FAILED) {
    return base::fail(base::Error::from_errno(errno, "map the ports block of the underlay program"));
  }
  UnderlayCounter counter(program, std::move(*object), Ports(static_cast<ft_ports*>(block)), *cpus);
  counter.options_ = std::move(options);
  counter.counted_ = std::move(counted);
  counter.mode_ = mode;
  counter.faded_ns_ = base::now().boot_ns;
  for (std::uint32_t slot = 0; slot < FT_GENERATIONS; ++slot) {
    const auto index = static_cast<GenerationIndex>(slot);
    const GenerationMaps place{.name = "ft_physical", .outer_fd = counter.hooks_.object().map_fd("physical")};
    auto there = adopt_generation_map(place, index, *cpus, maps);
    if (!there) return base::fail(std::move(there.error()));
    if (*there) {
      counter.maps_.push_back(std::move(**there));
      counter.was_attached_ = true;
      continue;
    }
    auto map = PercpuMap::create("ft_physical", sizeof(ft_endpoint_key), kEndpointEntries, *cpus);
    if (!map) return base::fail(std::move(map.error()));
    if (auto placed = place_generation_map(place, index, *map, maps); !placed)
      return base::fail(std::move(placed.error()));
    counter.maps_.push_back(std::move(*map));
  }
  counter.read_addresses();
  counter.set_sockets({}, true);
  return counter;
}

UnderlayCounter::Report UnderlayCounter::look(const DeviceWatch& watch) {
  Report report;
  fade_ports();
  if (seen_changes_ != watch.changes()) {
    const auto interfaces = read_interfaces();
    if (!interfaces) {
      std::string text = interfaces.error().text();
      if (failing_.insert(text).second) report.failed.push_back(std::move(text));
      return report;
    }
    seen_changes_ = watch.changes();
    take_addresses(own_addresses_of(*interfaces));
    const std::vector<std::string> wanted =
        options_.interfaces.empty() ? carriers_among(*interfaces, counted_) : options_.interfaces;
    wanted_ = std::set<std::string>(wanted.begin(), wanted.end());
  }
  std::erase_if(attachments_, [&](const auto& entry) {
    if (!wanted_.contains(entry.first) || !entry.second.alive()) return true;
    const auto device = watch.find(entry.first);
    return !device || !*device || (*device)->index != entry.second.device().index;
  });
  std::set<std::string> failing;
  for (const std::string& name : wanted_) {
    if (attachments_.contains(name)) continue;
    auto attached = attach_to(name, watch);
    if (attached) {
      if (!attached->empty()) report.attached.push_back(std::move(*attached));
      continue;
    }
    std::string text =
        fmt::format("tailscaled's own traffic on {} is not counted: {}", name, attached.error().text());
    if (!failing_.contains(text)) report.failed.push_back(text);
    failing.insert(std::move(text));
  }
  failing_ = std::move(failing);
  if (!std::exchange(looked_, true) && options_.pins != nullptr) remove_stale_pins();
  was_attached_ = was_attached_ || !attachments_.empty();
  return report;
}

/// What came of it, for people; "" where there is no such device (yet).
base::Result<std::string> UnderlayCounter::attach_to(const std::string& name, const DeviceWatch& watch) {
  // A tunnel of some other kind, found by its address: nobody asked for it by name.
  const auto unasked = [this](const base::Error& error) {
    return options_.interfaces.empty() && error.code() == base::ErrorCode::kUnsupported;
  };
  auto looked = watch.find(name);
  if (!looked) {
    if (unasked(looked.error())) return std::string{};
    return base::fail(std::move(looked.error()));
  }
  const std::optional<Device>& device = *looked;
  if (!device) return std::string{};
  const auto programs = hooks_.programs(device->link_layer);
  if (!programs) return base::fail(programs.error());
  auto attachment =
      Attachment::attach(*programs, *device, mode_,
                         {.directory = options_.pins != nullptr ? &options_.pins->links() : nullptr,
                          .name = pin_name_of(device->index)});
  if (!attachment) return base::fail(std::move(attachment.error()));
  std::string text = fmt::format("counting tailscaled's own traffic on {} by {}", name, attachment->kind());
  attachments_.emplace(name, std::move(*attachment));
  return text;
}

void UnderlayCounter::leave() noexcept {
  for (auto& [name, attachment] : attachments_) std::move(attachment).leave();
  attachments_.clear();
}

void UnderlayCounter::remove(const Pins& pins) noexcept {
  for (const std::string& name : pins.links().names()) {
    if (!name.starts_with(kPinPrefix)) continue;
    take_off_filter_of(pins.links(), name);
    pins.links().remove(name);
  }
}

/// Of devices that went, or are not ours to count any more, while no agent was there.
void UnderlayCounter::remove_stale_pins() const {
  std::set<std::string> ours;
  for (const auto& [name, attachment] : attachments_)
    ours.insert(pin_name_of(attachment.device().index) + '_');
  for (const std::string& name : options_.pins->links().names()) {
    if (!name.starts_with(kPinPrefix)) continue;
    const bool used =
        std::ranges::any_of(ours, [&name](const std::string& begin) { return name.starts_with(begin); });
    if (used) continue;
    take_off_filter_of(options_.pins->links(), name);
    options_.pins->links().remove(name);
  }
}

/// Those that an earlier run put into the kernel's map: its programs count by them until ours know better.
void UnderlayCounter::read_addresses() {
  const int fd = hooks_.object().map_fd("own_addresses");
  ft_address_key key{};
  for (const ft_address_key* before = nullptr; bpf_map_get_next_key(fd, before, &key) == 0; before = &key) {
    model::Address address{.family = static_cast<model::Address::Family>(key.family)};
    std::memcpy(address.bytes.data(), key.address, sizeof(key.address));
    std::uint32_t only_on = 0;
    if (bpf_map_lookup_elem(fd, &key, &only_on) == 0) addresses_.emplace(address, only_on);
  }
}

void UnderlayCounter::take_addresses(std::map<model::Address, std::uint32_t> addresses) {
  const int fd = hooks_.object().map_fd("own_addresses");
  for (const auto& [address, only_on] : addresses_) {
    const ft_address_key key = key_of(address);
    if (!addresses.contains(address)) bpf_map_delete_elem(fd, &key);
  }
  for (const auto& [address, only_on] : addresses) {
    const auto known = addresses_.find(address);
    if (known != addresses_.end() && known->second == only_on) continue;
    const ft_address_key key = key_of(address);
    bpf_map_update_elem(fd, &key, &only_on, BPF_ANY);
  }
  addresses_ = std::move(addresses);
}

void UnderlayCounter::set_sockets(std::span<const std::uint16_t> udp_ports, bool marked) noexcept {
  // What was told before may still be in use for a moment: it fades as what was learned does.
  for (__u8& port : ports_->udp) change(port, FT_PORT_TOLD, FT_PORT_LEARNED);
  for (const std::uint16_t port : udp_ports) {
    std::atomic_ref(ports_->udp[port]).store(FT_PORT_TOLD, std::memory_order_relaxed);
  }
  std::atomic_ref(program_->control().mark_is_sure).store(marked ? 1 : 0, std::memory_order_relaxed);
}

void UnderlayCounter::fade_ports() noexcept {
  const std::int64_t now_ns = base::now().boot_ns;
  if (now_ns - faded_ns_ < kPortFadesAfterNs) return;
  faded_ns_ = now_ns;
  for (auto* block : {&ports_->udp, &ports_->tcp}) {
    for (__u8& port : *block) {
      change(port, FT_PORT_FADING, FT_PORT_FOREIGN);
      change(port, FT_PORT_LEARNED, FT_PORT_FADING);
    }
  }
}

base::Status UnderlayCounter::read(GenerationIndex index, model::Generation& into) {
  const auto totals = read_cpus<ft_underlay_totals>(hooks_.object().map_fd("underlay_totals"), index, cpus_,
                                                    "totals of the underlay");
  if (!totals) return base::fail(totals.error());
  into.underlay = sum_underlay(*totals);
  into.underlay.counted = was_attached_;
  into.physical.clear();
  return read_entries(maps_[to_index(index)], scratch_, 0, into.physical);
}

base::Status UnderlayCounter::reset(GenerationIndex index, const model::Generation& drained) {
  if (auto erased = erase_entries(maps_[to_index(index)], drained.physical); !erased) return erased;
  was_attached_ = !attachments_.empty();
  return zero_cpus<ft_underlay_totals>(hooks_.object().map_fd("underlay_totals"), index, cpus_,
                                       "totals of the underlay");
}

}  // namespace flowtally::capture
