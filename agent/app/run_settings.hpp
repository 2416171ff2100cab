// This file is between the configuration, as the file has it, and what `flowtally run` goes by: flags win
// over the file, the file over defaults. Pure.
#pragma once

#include "app/commands.hpp"
#include "config/settings.hpp"

namespace flowtally::app {

/// What the settings say takes the place of what the options have; what they do not say stays.
void put(const config::Settings& settings, RunOptions& options);

/// What is in force, as the file would say it; with the sinks of the file.
[[nodiscard]] config::Settings settings_of(const RunOptions& options);

}  // namespace flowtally::app
