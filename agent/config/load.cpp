#include "config/load.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.hpp"

namespace flowtally::config {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

constexpr std::string_view kDirectory = "conf.d";
constexpr std::string_view kSuffix = ".yaml";

std::optional<std::string> process_environment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

struct OpenFile {
  base::UniqueFd fd{};
  struct stat info{};
};

base::Result<OpenFile> open_regular(const std::string& path) {
  OpenFile file{.fd = base::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK))};
  if (!file.fd.valid()) return fail(Error::from_errno(errno, "open " + path));
  if (::fstat(file.fd.get(), &file.info) != 0) return fail(Error::from_errno(errno, "stat " + path));
  if (!S_ISREG(file.info.st_mode))
    return fail(Error(ErrorCode::kInvalidArgument, path + " is no regular file"));
  return file;
}

base::Result<std::string> read_up_to(const OpenFile& file, const std::string& path, std::size_t bytes_max) {
  std::string text(bytes_max, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = ::read(file.fd.get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(Error::from_errno(errno, "read " + path));
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  text.resize(size);
  return text;
}

/// Names as they are in messages. More than kFilesMax are left for the reader to refuse.
base::Result<std::vector<std::string>> files_beside(const std::string& file) {
  const std::filesystem::path directory = std::filesystem::path(file).parent_path() / kDirectory;
  std::error_code error;
  std::filesystem::directory_iterator at(directory, error);
  if (error == std::errc::no_such_file_or_directory) return std::vector<std::string>();
  std::vector<std::string> files;
  while (!error && at != std::filesystem::directory_iterator()) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with('.') && name.ends_with(kSuffix)) files.push_back(at->path().string());
    at.increment(error);
  }
  if (error) return fail(Error::from_errno(error.value(), "list " + directory.string()));
  std::ranges::sort(files);
  return files;
}

std::unexpected<Refusal> refuse(const Error& error) {
  return std::unexpected(Refusal{.lines = {error.text()}});
}

}  // namespace

base::Result<std::string> read_start_of_file(const std::string& path, std::size_t bytes_max) {
  auto file = open_regular(path);
  if (!file) return fail(std::move(file.error()));
  return read_up_to(*file, path, bytes_max);
}

base::Result<std::string> read_secret_file(const std::string& path) {
  auto file = open_regular(path);
  if (!file) return fail(std::move(file.error()));
  if ((file->info.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return fail(Error(ErrorCode::kPermission, path + ": every user of this machine may read or write it")
                    .advise(fmt::format("Run `chmod o= {}` and put another secret into it", path)));
  }
  auto text = read_up_to(*file, path, kSecretBytesMax + 2);
  if (!text) return text;
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  if (text->empty()) return fail(Error(ErrorCode::kInvalidArgument, path + " is empty"));
  if (text->size() <= kSecretBytesMax) return text;
  return fail(
      Error(ErrorCode::kInvalidArgument, fmt::format("{} has more than {} bytes", path, kSecretBytesMax)));
}

Rules trusted_rules(FilterCheck check_filter) {
  return {.environment = process_environment,
          .secret_files = read_secret_file,
          .check_filter = std::move(check_filter)};
}

std::expected<Loaded, Refusal> load_settings(const LoadOptions& options) {
  std::vector<std::string> names = {options.file};
  auto beside = files_beside(options.file);
  if (!beside) return refuse(beside.error());
  std::ranges::move(*beside, std::back_inserter(names));
  std::vector<SourceFile> files;
  Refusal refusal;
  for (const std::string& name : names) {
    auto text = read_start_of_file(name, kFileBytesMax + 1);
    if (text) {
      files.push_back({.name = name, .text = std::move(*text)});
    } else if (text.error().code() != ErrorCode::kNotFound || name != options.file ||
               !options.may_be_absent) {
      refusal.lines.push_back(text.error().text());
    }
    if (files.size() > kFilesMax) break;  // which the reader says
  }
  if (!refusal.lines.empty()) return std::unexpected(std::move(refusal));
  return read_settings(files, trusted_rules(options.check_filter));
}

}  // namespace flowtally::config
