#include "config/kept_streams.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "config/load.hpp"
#include "config/print.hpp"

namespace flowtally::config {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

constexpr const char* kHeading =
    "# Streams that were added with `flowtally stream add` or over the API. flowtally writes this file "
    "itself.\n";

base::Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Error::from_errno(errno, "write " + path));
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

base::Status sync_directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const base::UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return fail(Error::from_errno(errno, "sync " + directory));
  return {};
}

}  // namespace

Rules sent_rules(FilterCheck check_filter) {
  return {.check_filter = std::move(check_filter), .literal_secrets = true};
}

std::expected<std::vector<model::SinkSettings>, Refusal> load_streams(const std::string& path,
                                                                      FilterCheck check_filter) {
  auto text = read_start_of_file(path, kFileBytesMax + 1);
  if (!text && text.error().code() == ErrorCode::kNotFound) return {};
  if (!text) return std::unexpected(Refusal{.lines = {text.error().text()}});
  Rules rules = sent_rules(std::move(check_filter));
  rules.reserved_names = true;
  const SourceFile file{.name = path, .text = std::move(*text)};
  auto loaded = read_settings({&file, 1}, rules);
  if (!loaded) return std::unexpected(std::move(loaded.error()));
  std::vector<model::SinkSettings> sinks = std::exchange(loaded->settings.sinks, {});
  if (loaded->settings == Settings{}) return sinks;
  return std::unexpected(Refusal{.lines = {path + ": only sinks belong here"}});
}

base::Status save_streams(const std::string& path, std::span<const model::SinkSettings> sinks) {
  const std::string text = kHeading + sinks_yaml(sinks, SecretsShown::kYes);
  if (text.size() > kFileBytesMax) {
    return fail(
        Error(ErrorCode::kResource, fmt::format("{} would be longer than {} bytes", path, kFileBytesMax)));
  }
  return replace_private_file(path, text);
}

base::Status replace_private_file(const std::string& path, std::string_view text) {
  const std::string aside = path + ".aside";
  // What an earlier try left may have another mode.
  if (::unlink(aside.c_str()) != 0 && errno != ENOENT)
    return fail(Error::from_errno(errno, "remove " + aside));
  const base::UniqueFd file(
      ::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  if (!file.valid()) return fail(Error::from_errno(errno, "make " + aside));
  if (auto written = write_all(file.get(), text, aside); !written) return written;
  if (::fsync(file.get()) != 0) return fail(Error::from_errno(errno, "sync " + aside));
  if (::rename(aside.c_str(), path.c_str()) != 0)
    return fail(Error::from_errno(errno, fmt::format("rename {} to {}", aside, path)));
  return sync_directory_of(path);
}

}  // namespace flowtally::config
