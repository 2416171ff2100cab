// This file makes the page of `flowtally status` of the agent's answer. Pure: the same answer gives the same
// text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/human.hpp"
#include "cli/json.hpp"

namespace flowtally::cli {

/// One line of the page.
struct StatusLine {
  std::string label{};  ///< empty: goes on with the one before
  std::string text{};
  Mood mood = Mood::kPlain;
};

/// What passed in the window that is being counted.
struct LiveRate {
  double seconds = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
};

/// What is wrong or was lost is in it whatever it is; what is zero is not.
[[nodiscard]] std::vector<StatusLine> status_lines(const JsonDocument& status,
                                                   const std::optional<LiveRate>& rate,
                                                   const query::ZoneOffset& zone);

/// Every counter of something that was lost, left out or failed, that is not zero, with its reason.
[[nodiscard]] std::vector<StatusLine> loss_lines(const JsonDocument& status);

[[nodiscard]] std::string status_page(const std::vector<StatusLine>& lines, bool colour);

}  // namespace flowtally::cli
