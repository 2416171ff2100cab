#include "app/logging.hpp"

#include <cstdlib>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

namespace flowtally::app {
namespace {

/// "<3>" for an error: sd-daemon(3).
class Priority final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& into) override {
    const std::string_view text = text_of(message.level);
    into.append(text.data(), text.data() + text.size());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<Priority>();
  }

 private:
  static std::string_view text_of(spdlog::level::level_enum level) noexcept {
    switch (level) {
      case spdlog::level::critical: return "<2>";
      case spdlog::level::err: return "<3>";
      case spdlog::level::warn: return "<4>";
      case spdlog::level::info: return "<6>";
      default: return "<7>";
    }
  }
};

/// systemd gives device and inode of the stream that it connected to its journal: systemd.exec(5),
/// JOURNAL_STREAM. Somebody may have led stderr elsewhere since.
bool stderr_is_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat information{};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &information) != 0) return false;
  return fmt::format("{}:{}", information.st_dev, information.st_ino) == stream;
}

}  // namespace

std::shared_ptr<spdlog::logger> make_logger() {
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("flowtally", std::move(sink));
  if (stderr_is_journal()) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<Priority>('*').set_pattern("%*%v");
    logger->set_formatter(std::move(formatter));
  } else {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
  }
  logger->flush_on(spdlog::level::info);
  return logger;
}

}  // namespace flowtally::app
