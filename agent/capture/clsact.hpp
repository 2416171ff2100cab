// This file looks at the filters of a device's clsact qdisc by rtnetlink(7): what libbpf cannot list.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "capture/device.hpp"

namespace flowtally::capture {

/// A BPF filter in its place.
struct BpfFilter {
  std::uint32_t handle = 0;
  std::uint32_t priority = 0;
  std::uint32_t program_id = 0;  ///< TCA_BPF_ID
  std::string name{};            ///< TCA_BPF_NAME: libbpf writes "PROGRAM:[ID]"
};

/// The BPF filters on one hook of the device; none where it has no clsact qdisc.
[[nodiscard]] base::Result<std::vector<BpfFilter>> bpf_filters(IfIndex device, Direction direction);

/// True where neither hook of the device's clsact has a filter, of any kind; false where that cannot be told.
[[nodiscard]] bool clsact_is_empty(IfIndex device) noexcept;

}  // namespace flowtally::capture
