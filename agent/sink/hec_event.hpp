// This file is the envelope that Splunk's HTTP Event Collector takes, and that Tailscale streams records in.
#pragma once

#include <string>
#include <string_view>

#include "model/sink_settings.hpp"
#include "sink/batch.hpp"

namespace flowtally::sink {

/// The members that are the same for all events, as they stand in each: `"host":"…","index":"…",`.
[[nodiscard]] std::string hec_members(const model::SplunkSettings& settings, model::LogType log_type);

/// Appends {"time":S.fraction,MEMBERS"event":…,"fields":{"recorded":"…"}}. `time` is a number in seconds.
void append_hec_event(const Batch& batch, const Item& item, std::string_view members, std::string& out);

}  // namespace flowtally::sink
