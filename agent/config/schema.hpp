// This file describes the configuration to editors, as a JSON Schema (draft 2020-12), by the table of keys.
#pragma once

#include <string>

namespace flowtally::config {

/// A text with line ends, for `flowtally config schema`.
[[nodiscard]] std::string schema_json();

}  // namespace flowtally::config
