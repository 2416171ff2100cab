// This file checks what no single value shows: keys that need or exclude each other, what a kind of sink must
// have, two sinks that would be in each other's way.
#pragma once

#include <string>

#include "config/faults.hpp"
#include "config/read.hpp"

namespace flowtally::config {

/// Everything but the sinks, and what is between them.
void check_settings(const Settings& settings, const Origins& origins, Faults& faults);
/// `path` is where it stands: "sinks.mysiem". Empty for a sink that is alone in its text.
void check_sink(const model::SinkSettings& sink, const std::string& path, const Origins& origins,
                Faults& faults);

/// The place of the key, else that of the map around it, else the first file.
[[nodiscard]] Place place_of(const Origins& origins, std::string path);

}  // namespace flowtally::config
