// This file is what both journals need of the program that writes them: what recovery did goes to the log,
// and a keeper seals and shortens them.
#pragma once

#include <memory>
#include <string>

#include <spdlog/logger.h>

#include "base/result.hpp"
#include "journal/journal.hpp"
#include "journal/keeper.hpp"

namespace flowtally::app {

void tell_recovery(const journal::RecoveryReport& report, const std::string& directory,
                   spdlog::logger& logger);

/// The logger is used by the keeper's thread too.
[[nodiscard]] base::Result<std::unique_ptr<journal::JournalKeeper>> keep(journal::Journal& journal,
                                                                         const std::string& directory,
                                                                         spdlog::logger& logger);

}  // namespace flowtally::app
