// This file streams records to a server, as the agent does and with the system calls that it may make.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/sink_settings.hpp"

namespace flowtally::test {

/// Texts of items by their ids.
using Items = std::map<std::string, std::string>;

/// Makes items of records in the settings' format, sends them in batches of `batch` records, and fails the
/// test unless each is delivered. What was sent.
Items deliver(const model::SinkSettings& settings, const std::vector<std::string>& records,
              std::size_t batch = 500);

}  // namespace flowtally::test
