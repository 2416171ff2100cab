// This file makes a sink of a log stream as Tailscale's API has it. Pure.
#pragma once

#include "api/log_stream.hpp"
#include "api/source.hpp"
#include "base/result.hpp"
#include "model/sink_settings.hpp"

namespace flowtally::app {

/// kUnsupported: a kind of right that we have no way to use (a role of AWS, a service account of Google).
[[nodiscard]] base::Result<model::SinkSettings> sink_of(const api::LogStream& stream, api::LogType type);

}  // namespace flowtally::app
