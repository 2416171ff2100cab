// This file keeps the sinks that were added over the API, between runs: a file as conf.d has them, with their
// secrets in it, so that nobody but its owner may read it.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/read.hpp"

namespace flowtally::config {

/// What may be used by a sink that somebody sends over the API: no variables and no files of this machine,
/// but secrets as they are.
[[nodiscard]] Rules sent_rules(FilterCheck check_filter);

/// None if there is no such file.
[[nodiscard]] std::expected<std::vector<model::SinkSettings>, Refusal> load_streams(const std::string& path,
                                                                                    FilterCheck check_filter);

/// Puts the new file in place of the old one in one step, on the disk, mode 0600. With an Error the old one
/// is as it was. kResource: it would be longer than what load_streams() reads.
[[nodiscard]] base::Status save_streams(const std::string& path, std::span<const model::SinkSettings> sinks);

/// The same for any text with secrets in it: in one step, on the disk, mode 0600.
[[nodiscard]] base::Status replace_private_file(const std::string& path, std::string_view text);

}  // namespace flowtally::config
