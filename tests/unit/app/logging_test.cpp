#include "app/logging.hpp"

#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"

namespace flowtally::app {
namespace {

using Catch::Matchers::Matches;

/// What a logger writes to stderr, led to a file that is the journal's stream as `stream_of` says it of the
/// file.
template <class StreamOf>
std::string logged(const StreamOf& stream_of) {
  const base::UniqueFd file(::open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  REQUIRE(file.valid());
  struct stat information{};
  REQUIRE(::fstat(file.get(), &information) == 0);
  ::setenv("JOURNAL_STREAM", stream_of(information).c_str(), 1);
  const base::UniqueFd before(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  ::dup2(file.get(), STDERR_FILENO);
  const auto logger = make_logger();
  logger->error("it broke");
  logger->warn("it may break");
  logger->info("it works");
  ::dup2(before.get(), STDERR_FILENO);
  ::unsetenv("JOURNAL_STREAM");
  std::string text(4096, '\0');
  const auto size = ::pread(file.get(), text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

TEST_CASE("to systemd's journal lines go with a priority and without a time", "[unit]") {
  const std::string text =
      logged([](const struct stat& file) { return fmt::format("{}:{}", file.st_dev, file.st_ino); });
  CHECK(text == "<3>it broke\n<4>it may break\n<6>it works\n");
}

TEST_CASE("where stderr was led elsewhere since, they have their time and level", "[unit]") {
  const std::string text =
      logged([](const struct stat& file) { return fmt::format("{}:{}", file.st_dev, file.st_ino + 1); });
  CHECK_THAT(text.substr(0, text.find('\n')), Matches("[0-9-]{10}T[0-9:.]{12}[+-][0-9:]{5} error it broke"));
}

}  // namespace
}  // namespace flowtally::app
