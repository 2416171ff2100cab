// This file is what capture hands over: one retired generation as it was read from the kernel, per-CPU values
// already summed, keys still in the ABI's form. flow/ makes a Window of it.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.hpp"
#include "flowtally/abi.h"
#include "model/window.hpp"

namespace flowtally::model {

template <class Key>
struct Entry {
  Key key;
  Counters counters;
};

/// A retired generation. Plain values: it could come over a socket as well.
struct Generation {
  std::uint64_t epoch = 0;
  base::Moment start;
  base::Moment end;
  std::vector<Entry<ft_flow4_key>> flows4{};
  std::vector<Entry<ft_flow6_key>> flows6{};
  std::vector<Entry<ft_coarse_key>> coarse{};
  std::vector<Entry<std::uint8_t>> rest{};  ///< by IP protocol; only those that are not zero
  Totals totals{};
  std::vector<Entry<ft_endpoint_key>> physical{};  ///< tailscaled's WireGuard datagrams
  Underlay underlay{};
};

}  // namespace flowtally::model
