#include "app/logging.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace flowtally::app {

std::shared_ptr<spdlog::logger> make_logger() {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("flowtally", std::move(sink));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  logger->flush_on(spdlog::level::info);
  return logger;
}

}  // namespace flowtally::app
