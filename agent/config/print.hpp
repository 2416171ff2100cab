// This file writes a configuration: as YAML that can be read again, with the place of each value behind it,
// and as canonical JSON to compare by. Secrets are shown only where somebody asks for it.
#pragma once

#include <span>
#include <string>

#include "config/read.hpp"
#include "config/value.hpp"

namespace flowtally::config {

struct PrintOptions {
  /// What holds by default is there too; what has no default stands in a comment.
  bool effective = false;
  SecretsShown secrets = SecretsShown::kNo;
};

/// Every value with a comment where it was given, and how if not as it stands there.
[[nodiscard]] std::string settings_yaml(const Loaded& loaded, const PrintOptions& options);

/// What stands below a sink's name in `sinks:`; what holds by default is left out.
[[nodiscard]] std::string sink_yaml(const model::SinkSettings& sink, SecretsShown secrets);
/// A whole file with these sinks.
[[nodiscard]] std::string sinks_yaml(std::span<const model::SinkSettings> sinks, SecretsShown secrets);

/// Everything with its defaults, in the order of the table, secrets masked: two configurations that do the
/// same have the same text, but for secrets.
[[nodiscard]] std::string settings_json(const Settings& settings);
[[nodiscard]] std::string sink_json(const model::SinkSettings& sink);

}  // namespace flowtally::config
