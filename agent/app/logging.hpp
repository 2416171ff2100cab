// This file makes the one logger: lines on stderr, coloured only on a terminal.
#pragma once

#include <memory>

#include <spdlog/logger.h>

namespace flowtally::app {

[[nodiscard]] std::shared_ptr<spdlog::logger> make_logger();

}  // namespace flowtally::app
