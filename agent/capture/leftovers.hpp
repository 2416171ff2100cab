// This file takes off what runs that are over left behind: pins, with the links in them, and clsact filters.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "capture/pins.hpp"

namespace flowtally::capture {

struct Leftovers {
  std::vector<std::string> pins;  ///< directories that were removed
  std::size_t filters = 0;        ///< clsact filters that were taken off
};

/// Removes every pin of flowtally under `bpffs`, of whatever interface, and its filters on the devices of
/// this network namespace; counts that nobody has drained are lost. kResource: a running agent has some of
/// it and still had after `wait`, and nothing was removed.
[[nodiscard]] base::Result<Leftovers> remove_leftovers(const std::string& bpffs,
                                                       std::chrono::milliseconds wait = {});

/// Filters of our programs, known by their names, on all devices of this network namespace; how many there
/// were. `made_qdisc`: clsact qdiscs that are empty after that go too.
std::size_t take_off_filters(bool made_qdisc) noexcept;

/// The clsact filter whose program has that pin, wherever it is; nothing happens where none has. Links need
/// no such thing: they go with their pin.
void take_off_filter_of(const PinDirectory& directory, const std::string& pin) noexcept;

}  // namespace flowtally::capture
