// This file reads and zeroes one element of a per-CPU array: the totals of a generation.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <bpf/bpf.h>
#include <fmt/format.h>

#include "base/result.hpp"
#include "capture/flow_table.hpp"
#include "flowtally/abi.h"
#include "model/window.hpp"

namespace flowtally::capture {

inline void add(model::Counters& sum, const ft_counters& counters) noexcept {
  sum += {.tx_packets = counters.tx_packets,
          .tx_bytes = counters.tx_bytes,
          .rx_packets = counters.rx_packets,
          .rx_bytes = counters.rx_bytes};
}

/// The value of each CPU; `what` is for the message.
template <class Value>
[[nodiscard]] base::Result<std::vector<Value>> read_cpus(int fd, GenerationIndex index, std::uint32_t cpus,
                                                         const char* what) {
  static_assert(sizeof(Value) % 8 == 0, "the kernel pads each CPU's value to 8 bytes");
  std::vector<Value> values(cpus);
  const std::uint32_t key = to_index(index);
  if (bpf_map_lookup_elem(fd, &key, values.data()) != 0) {
    return base::fail(base::Error::from_errno(errno, fmt::format("read the {} of generation {}", what, key)));
  }
  return values;
}

/// The same of a map that another ABI version made: its values are longer or shorter at their end; what it
/// does not have is zero.
template <class Value>
[[nodiscard]] base::Result<std::vector<Value>> read_foreign_cpus(int fd, GenerationIndex index,
                                                                 std::uint32_t cpus, const char* what) {
  bpf_map_info info{};
  std::uint32_t length = sizeof(info);
  if (bpf_map_get_info_by_fd(fd, &info, &length) != 0) {
    return base::fail(base::Error::from_errno(errno, fmt::format("ask how long the {} are", what)));
  }
  const std::size_t stride = (std::size_t{info.value_size} + 7) / 8 * 8;
  std::vector<std::byte> bytes(stride * cpus);
  const std::uint32_t key = to_index(index);
  if (bpf_map_lookup_elem(fd, &key, bytes.data()) != 0) {
    return base::fail(base::Error::from_errno(errno, fmt::format("read the {} of generation {}", what, key)));
  }
  std::vector<Value> values(cpus);
  for (std::size_t cpu = 0; cpu < cpus; ++cpu) {
    std::memcpy(&values[cpu], &bytes[cpu * stride], std::min(sizeof(Value), stride));
  }
  return values;
}

template <class Value>
[[nodiscard]] base::Status zero_cpus(int fd, GenerationIndex index, std::uint32_t cpus, const char* what) {
  const std::vector<Value> zero(cpus);
  const std::uint32_t key = to_index(index);
  if (bpf_map_update_elem(fd, &key, zero.data(), BPF_EXIST) != 0) {
    return base::fail(
        base::Error::from_errno(errno, fmt::format("clear the {} of generation {}", what, key)));
  }
  return {};
}

}  // namespace flowtally::capture
