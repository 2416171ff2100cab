#include "journal/file_system.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace flowtally::journal {
namespace {

using base::Error;
using base::fail;
using base::Result;
using base::Status;

constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;

std::unexpected<Error> failed(const char* what, const std::string& path) {
  return fail(Error::from_errno(errno, fmt::format("{} {}", what, path)));
}

int open_retrying(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, kFileMode);  // NOLINT(cppcoreguidelines-pro-type-vararg)
  } while (fd < 0 && errno == EINTR);
  return fd;
}

class PosixFile final : public File {
 public:
  PosixFile(base::UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> bytes) override {
    ssize_t done = -1;
    do {
      done = ::pread(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    } while (done < 0 && errno == EINTR);
    if (done < 0) return failed("read", path_);
    return static_cast<std::size_t>(done);
  }

  Result<std::size_t> write_at(std::uint64_t offset, std::string_view bytes) override {
    ssize_t done = -1;
    do {
      done = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    } while (done < 0 && errno == EINTR);
    if (done < 0) return failed("write", path_);
    if (done == 0 && !bytes.empty()) {
      errno = ENOSPC;
      return failed("write", path_);
    }
    return static_cast<std::size_t>(done);
  }

  Status truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return failed("truncate", path_);
    return {};
  }

  Status sync() override {
    if (::fdatasync(fd_.get()) != 0) return failed("sync", path_);
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat status{};
    if (::fstat(fd_.get(), &status) != 0) return failed("size of", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<bool> has_name() override {
    struct stat status{};
    if (::fstat(fd_.get(), &status) != 0) return failed("status of", path_);
    return status.st_nlink > 0;
  }

 private:
  base::UniqueFd fd_;
  std::string path_;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(base::UniqueFd fd) : fd_(std::move(fd)) {}

 private:
  base::UniqueFd fd_;  // the lock goes with the last descriptor of this open file
};

/// "process 4711", from what the holder wrote into the lock file.
std::string holder_of(int fd) {
  std::array<char, 32> text{};
  const ssize_t bytes = ::pread(fd, text.data(), text.size(), 0);
  int pid = 0;
  if (bytes > 0) std::from_chars(text.data(), text.data() + bytes, pid);
  return pid > 0 ? fmt::format("process {}", pid) : "another process";
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    int flags = O_RDONLY;
    if (mode == OpenMode::kWrite) flags = O_RDWR;
    if (mode == OpenMode::kCreate) flags = O_RDWR | O_CREAT | O_TRUNC;
    base::UniqueFd fd(open_retrying(path, flags));
    if (!fd.valid()) return failed("open", path);
    return std::make_unique<PosixFile>(std::move(fd), path);
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename", from);
    return {};
  }

  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return failed("remove", path);
    return {};
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
    if (!stream) return failed("list", directory);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* const found = ::readdir(stream.get())) {
      const std::string_view name(found->d_name);
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return failed("list", directory);
    return names;
  }

  Status make_directory(const std::string& directory) override {
    for (std::size_t slash = directory.find('/', 1);; slash = directory.find('/', slash + 1)) {
      const std::string path = directory.substr(0, slash);
      if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST)
        return failed("make directory", path);
      if (slash == std::string::npos) return {};
    }
  }

  Status sync_directory(const std::string& directory) override {
    const base::UniqueFd fd(open_retrying(directory, O_RDONLY | O_DIRECTORY));
    if (!fd.valid()) return failed("open", directory);
    if (::fsync(fd.get()) != 0) return failed("sync", directory);
    return {};
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    base::UniqueFd fd(open_retrying(path, O_RDWR | O_CREAT));
    if (!fd.valid()) return failed("open", path);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return failed("lock", path);
      return fail(
          Error(base::ErrorCode::kResource, fmt::format("{} is held by {}", path, holder_of(fd.get())))
              .advise("Stop the other one, or give this one a state directory of its own"));
    }
    // The number only serves the message of whoever finds the lock taken, so a full disk is no hindrance.
    const std::string pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(fd.get(), 0) == 0)
      static_cast<void>(::pwrite(fd.get(), pid.data(), pid.size(), 0) + ssize_t{0});
    return std::make_unique<PosixLock>(std::move(fd));
  }

  Result<base::UniqueFd> watch(const std::string& directory) override {
    base::UniqueFd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!fd.valid()) return failed("watch", directory);
    const std::uint32_t events = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE;
    if (::inotify_add_watch(fd.get(), directory.c_str(), events) < 0) return failed("watch", directory);
    return fd;
  }
};

}  // namespace

FileSystem& posix_file_system() {
  static PosixFileSystem files;
  return files;
}

Status write_all(File& file, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto done = file.write_at(offset, bytes);
    if (!done) return fail(done.error());
    offset += *done;
    bytes.remove_prefix(*done);
  }
  return {};
}

Status read_all(File& file, std::uint64_t offset, std::span<char> bytes) {
  while (!bytes.empty()) {
    const auto done = file.read_at(offset, bytes);
    if (!done) return fail(done.error());
    if (*done == 0) return fail(Error(base::ErrorCode::kCorrupt, "a file of the journal ends too early"));
    offset += *done;
    bytes = bytes.subspan(*done);
  }
  return {};
}

Status replace_file(FileSystem& files, const std::string& directory, const std::string& name,
                    std::string_view bytes) {
  const std::string path = directory + '/' + name;
  const std::string aside = path + std::string(kAsideSuffix);
  {
    auto file = files.open(aside, OpenMode::kCreate);
    if (!file) return fail(std::move(file.error()));
    if (auto written = write_all(**file, 0, bytes); !written) return written;
    if (auto synced = (*file)->sync(); !synced) return synced;
  }
  if (auto renamed = files.rename(aside, path); !renamed) return renamed;
  return files.sync_directory(directory);
}

Result<std::string> read_file(FileSystem& files, const std::string& path, std::size_t bytes_max) {
  auto file = files.open(path, OpenMode::kRead);
  if (!file) return fail(std::move(file.error()));
  const auto size = (*file)->size();
  if (!size) return fail(size.error());
  if (*size > bytes_max) {
    return fail(
        Error(base::ErrorCode::kCorrupt,
              fmt::format("{} has {} bytes, more than the {} that it can have", path, *size, bytes_max)));
  }
  std::string bytes(static_cast<std::size_t>(*size), '\0');
  if (auto read = read_all(**file, 0, bytes); !read) return fail(std::move(read.error()).during(path));
  return bytes;
}

}  // namespace flowtally::journal
