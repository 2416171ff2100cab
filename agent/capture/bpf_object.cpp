#include "capture/bpf_object.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include "base/check.hpp"
#include "capture/libbpf_log.hpp"

namespace flowtally::capture {
namespace {

base::Error load_error(int sys_errno, const char* what, const LibbpfLog& log) {
  auto error = base::Error::from_errno(sys_errno, fmt::format("load the {} ({})", what, log.tail()));
  if (error.code() == base::ErrorCode::kPermission) {
    return std::move(error).advise(
        "Run as root or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8); in a "
        "container, --privileged");
  }
  return std::move(error).advise("`flowtally check` tells what this kernel lacks");
}

base::Status share_maps(bpf_object* object, const bpf_object* from, const char* what) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const bpf_map* const shared = bpf_object__find_map_by_name(from, bpf_map__name(map));
    if (shared == nullptr) continue;
    if (const int error = bpf_map__reuse_fd(map, bpf_map__fd(shared)); error != 0) {
      return base::fail(base::Error::from_errno(
          -error, fmt::format("share the map {} with the {}", bpf_map__name(map), what)));
    }
  }
  return {};
}

/// Programs that nobody asked for are not verified, and cannot be had.
void load_only(bpf_object* object, const std::vector<const char*>& wanted) noexcept {
  if (wanted.empty()) return;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const std::string_view name = bpf_program__name(program);
    const bool is_wanted = std::ranges::any_of(wanted, [name](const char* one) { return name == one; });
    bpf_program__set_autoload(program, is_wanted);
  }
}

/// Constants belong to the programs that were verified with them.
bool is_constant(const bpf_map* map) noexcept {
  return std::string_view(bpf_map__name(map)).starts_with(".rodata");
}

base::Status adopt_maps(bpf_object* object, const PinDirectory& pins, const char* what) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (is_constant(map)) continue;
    auto pinned = pins.get(bpf_map__name(map));
    if (!pinned) return base::fail(std::move(pinned.error()));
    if (!pinned->valid()) continue;
    if (const int error = bpf_map__reuse_fd(map, pinned->get()); error != 0) {
      return base::fail(base::Error::from_errno(
          -error, fmt::format("take over the pinned map {} for the {}", bpf_map__name(map), what)));
    }
  }
  return {};
}

base::Status pin_maps(bpf_object* object, const PinDirectory& pins) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (is_constant(map) || pins.has(bpf_map__name(map))) continue;
    if (auto pinned = pins.put(bpf_map__name(map), bpf_map__fd(map)); !pinned) return pinned;
  }
  return {};
}

}  // namespace

void BpfObject::Deleter::operator()(bpf_object* object) const noexcept { bpf_object__close(object); }

BpfObject::BpfObject(BpfObject&& other) noexcept = default;
BpfObject& BpfObject::operator=(BpfObject&& other) noexcept = default;
BpfObject::~BpfObject() = default;

base::Result<BpfObject> BpfObject::load(const Options& options) {
  const LibbpfLog log;
  LIBBPF_OPTS(bpf_object_open_opts, open_options, .object_name = "flowtally");
  BpfObject loaded(bpf_object__open_mem(options.image.data(), options.image.size(), &open_options));
  bpf_object* const object = loaded.object_.get();
  if (object == nullptr) {
    return base::fail(
        base::Error::from_errno(errno, fmt::format("open the {} ({})", options.what, log.tail())));
  }
  load_only(object, options.programs);
  for (const Initial& initial : options.initial) {
    bpf_map* const map = bpf_object__find_map_by_name(object, initial.map);
    if (map == nullptr || bpf_map__set_initial_value(map, initial.bytes.data(), initial.bytes.size()) != 0) {
      return base::fail(base::Error(base::ErrorCode::kInternal,
                                    fmt::format("the {} has no block {}", options.what, initial.map)));
    }
  }
  if (options.shares != nullptr) {
    auto shared = share_maps(object, options.shares->object_.get(), options.what);
    if (!shared) return base::fail(std::move(shared.error()));
  }
  if (options.pins != nullptr) {
    if (auto adopted = adopt_maps(object, *options.pins, options.what); !adopted) {
      return base::fail(std::move(adopted.error()));
    }
  }
  if (const int error = bpf_object__load(object); error != 0) {
    return base::fail(load_error(-error, options.what, log));
  }
  if (options.pins != nullptr) {
    if (auto pinned = pin_maps(object, *options.pins); !pinned) return base::fail(std::move(pinned.error()));
  }
  return loaded;
}

int BpfObject::program_fd(const char* name) const noexcept {
  const bpf_program* const found = bpf_object__find_program_by_name(object_.get(), name);
  FLOWTALLY_CHECK(found != nullptr);
  return bpf_program__fd(found);
}

int BpfObject::map_fd(const char* name) const noexcept {
  const bpf_map* const found = bpf_object__find_map_by_name(object_.get(), name);
  FLOWTALLY_CHECK(found != nullptr);
  return bpf_map__fd(found);
}

}  // namespace flowtally::capture
