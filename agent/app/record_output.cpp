#include "app/record_output.hpp"

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace flowtally::app {
namespace {

/// A pipe that polls writable takes this much without blocking (PIPE_BUF, pipe(7)).
constexpr std::size_t kPipeChunk = 4096;
constexpr std::size_t kFileChunk = std::size_t{1} << 20U;
/// Text beyond this is written as it comes, so that a large window is never in memory whole where the
/// receiver keeps up.
constexpr std::size_t kFlushBytes = std::size_t{256} * 1024;

bool is_file(int fd) noexcept {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/// Ends a last line that was cut off, so that the next record begins a line.
base::Status end_torn_line(int fd, const std::string& path) {
  struct stat status{};
  char last = '\n';
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) return {};
  if (::pread(fd, &last, 1, status.st_size - 1) == 1 && last != '\n' && ::write(fd, "\n", 1) != 1) {
    return base::fail(base::Error::from_errno(errno, fmt::format("end the torn last line of {}", path)));
  }
  return {};
}

}  // namespace

bool is_final(const base::Error& error) noexcept {
  return error.sys_errno() == EPIPE || error.sys_errno() == EBADF || error.sys_errno() == ECONNRESET;
}

base::Result<DescriptorOutput> DescriptorOutput::open(const std::string& path) {
  if (path == "-") {
    base::UniqueFd out(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!out.valid()) return base::fail(base::Error::from_errno(errno, "write records to stdout"));
    return DescriptorOutput(std::move(out), "stdout");
  }
  // Only a regular file is read (its last byte); a pipe without a reader is refused (ENXIO) and not waited
  // for.
  struct stat status{};
  const bool special = ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
  base::UniqueFd file(special
                          ? ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
                          : ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640));
  if (!file.valid()) {
    const char* const remedy =
        errno == ENXIO && S_ISFIFO(status.st_mode)
            ? "Start the program that reads it first"
            : "Name a file in a directory that exists and may be written, or - for stdout";
    return base::fail(
        base::Error::from_errno(errno, fmt::format("open {} for records", path)).advise(remedy));
  }
  if (auto ended = end_torn_line(file.get(), path); !ended) return base::fail(std::move(ended.error()));
  return DescriptorOutput(std::move(file), path);
}

void DescriptorOutput::add(std::string_view line) {
  pending_ += line;
  if (pending_.size() - written_ >= kFlushBytes) std::ignore = flush();  // an error shows at the next flush()
}

base::Result<RecordOutput::Progress> DescriptorOutput::flush() {
  const bool file = is_file(fd_.get());
  while (written_ < pending_.size()) {
    pollfd ready{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
    if (!file && ::poll(&ready, 1, 0) == 0) return Progress::kWaiting;
    const std::size_t chunk = std::min(pending_.size() - written_, file ? kFileChunk : kPipeChunk);
    const auto count = ::write(fd_.get(), pending_.data() + written_, chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return Progress::kWaiting;
    if (count < 0)
      return base::fail(base::Error::from_errno(errno, fmt::format("write records to {}", name_)));
    written_ += static_cast<std::size_t>(count);
  }
  pending_.clear();
  if (pending_.capacity() > 4 * kFlushBytes) pending_.shrink_to_fit();
  written_ = 0;
  return Progress::kDone;
}

}  // namespace flowtally::app
