// This file is the agent's status as Prometheus wants it: names, units and kinds by its conventions.
// docs/formats/api.md has the list.
#pragma once

#include <string>

#include "api/counts.hpp"
#include "model/agent_status.hpp"

namespace flowtally::api {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

/// The text format, version 0.0.4. Numbers are doubles there: counts above 2^53 are rounded.
[[nodiscard]] std::string metrics_text(const model::AgentStatus& status, const Counts& counts);

}  // namespace flowtally::api
