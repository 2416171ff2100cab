// This file makes the one logger: lines on stderr, coloured only on a terminal. To the journal of systemd
// they go with a priority, for `journalctl --priority`, and without a time, which it has already.
#pragma once

#include <memory>

#include <spdlog/logger.h>

namespace flowtally::app {

[[nodiscard]] std::shared_ptr<spdlog::logger> make_logger();

}  // namespace flowtally::app
