// This file holds what the forwarder saw on the wire against what the records say, flow by flow. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/window.hpp"

namespace flowtally::app {

/// One flow on both sides of the comparison; zero counters where a side does not have it.
struct ComparedFlow {
  model::Flow wire;  ///< key and what the wire carried
  model::Counters recorded;
  [[nodiscard]] bool exact() const noexcept { return wire.counters == recorded; }
};

struct Comparison {
  std::vector<ComparedFlow> flows;  ///< the union of both sides; those that differ first
  model::Counters wire_all;
  model::Counters recorded_all;  ///< hook totals, as the records' accounting gives them
  std::size_t differing = 0;

  [[nodiscard]] bool exact() const noexcept { return differing == 0 && wire_all == recorded_all; }
};

/// `wire` and `recorded` in record order, each key once.
[[nodiscard]] Comparison compare(const std::vector<model::Flow>& wire, const model::Counters& wire_all,
                                 const std::vector<model::Flow>& recorded,
                                 const model::Counters& recorded_all);

/// Rows that are printed of a comparison at the most; flows that differ are printed all the same.
inline constexpr std::size_t kTableRowsMax = 40;

/// The table as text, with colours where `colour` says so; ends with the totals, not with the verdict.
[[nodiscard]] std::string table_text(const Comparison& comparison, bool colour);

}  // namespace flowtally::app
