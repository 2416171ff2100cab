// This file writes the agent's status as JSON, for `flowtally status` and whoever asks, and judges its
// health.
#pragma once

#include <string>

#include "api/answer.hpp"
#include "model/agent_status.hpp"

namespace flowtally::api {

[[nodiscard]] std::string status_json(const model::AgentStatus& status);

/// The agent's loop is late when it did not come by for three intervals, and for this at the least: a drain
/// that waits for a slow disk or for tailscaled is no illness.
inline constexpr std::int64_t kLateAfterMinNs = std::int64_t{30} * 1'000'000'000;
inline constexpr std::int64_t kLateAfterIntervals = 3;

/// 200 while the agent's loop goes round, else 503: what a supervisor should restart the agent for. A full
/// disk or an interface that is away is not.
[[nodiscard]] Answer health(const model::AgentStatus& status);
/// 200 while flows are counted, or the interface is waited for, and the journal takes them; else 503.
[[nodiscard]] Answer readiness(const model::AgentStatus& status);

}  // namespace flowtally::api
