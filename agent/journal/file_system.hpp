// This file is the seam between the journal and the disk: all file access goes through it, so that tests can
// let every single operation fail, come short, or be the last one before a crash.
//
// What the journal relies on: bytes written are on the disk after sync() of the file; names are on the disk
// after sync_directory(); rename() replaces the old file in one step; nothing else is in any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace flowtally::journal {

/// One open file. Closed by the destructor. Different threads may use different objects of the same file.
class File {
 public:
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File() = default;

  /// May give less than asked for; 0 at the end of the file.
  [[nodiscard]] virtual base::Result<std::size_t> read_at(std::uint64_t offset, std::span<char> bytes) = 0;
  /// May write less than asked for, but at least one byte.
  [[nodiscard]] virtual base::Result<std::size_t> write_at(std::uint64_t offset, std::string_view bytes) = 0;
  [[nodiscard]] virtual base::Status truncate(std::uint64_t size) = 0;
  /// fdatasync.
  [[nodiscard]] virtual base::Status sync() = 0;
  [[nodiscard]] virtual base::Result<std::uint64_t> size() = 0;
  /// False once no name leads to the file any more.
  [[nodiscard]] virtual base::Result<bool> has_name() = 0;
};

/// Held until it is destroyed.
class FileLock {
 public:
  FileLock() = default;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  virtual ~FileLock() = default;
};

enum class OpenMode : std::uint8_t {
  kRead,
  kWrite,   ///< an existing file, to read and write
  kCreate,  ///< a new file, or an existing one made empty, to read and write
};

/// Thread-safe. Must outlive what it opened.
class FileSystem {
 public:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;
  virtual ~FileSystem() = default;

  [[nodiscard]] virtual base::Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  [[nodiscard]] virtual base::Status rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual base::Status remove(const std::string& path) = 0;
  /// The names in a directory, without "." and "..", in no order.
  [[nodiscard]] virtual base::Result<std::vector<std::string>> list(const std::string& directory) = 0;
  /// With its parents, mode 0750; an existing one is fine.
  [[nodiscard]] virtual base::Status make_directory(const std::string& directory) = 0;
  [[nodiscard]] virtual base::Status sync_directory(const std::string& directory) = 0;
  /// An exclusive lock on a file that is made if need be. kResource: somebody holds it; the text says which
  /// process.
  [[nodiscard]] virtual base::Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
  /// A descriptor that becomes readable when something in the directory changes. An Error where there is no
  /// such thing; the caller then looks now and then.
  [[nodiscard]] virtual base::Result<base::UniqueFd> watch(const std::string& directory) = 0;
};

/// The real one. Lives as long as the process and has no state.
[[nodiscard]] FileSystem& posix_file_system();

/// Writes all of `bytes`, in as many pieces as it takes.
[[nodiscard]] base::Status write_all(File& file, std::uint64_t offset, std::string_view bytes);
/// Fills `bytes`, or kCorrupt if the file ends before.
[[nodiscard]] base::Status read_all(File& file, std::uint64_t offset, std::span<char> bytes);

/// Writes a small file so that after a crash either the old one or the new one is there, whole: aside,
/// synced, renamed, directory synced.
[[nodiscard]] base::Status replace_file(FileSystem& files, const std::string& directory,
                                        const std::string& name, std::string_view bytes);
/// All of a small file. kCorrupt: longer than `bytes_max`.
[[nodiscard]] base::Result<std::string> read_file(FileSystem& files, const std::string& path,
                                                  std::size_t bytes_max);

/// What replace_file() and sealing write before it gets its name; recovery removes what is left of them.
inline constexpr std::string_view kAsideSuffix = ".aside";

}  // namespace flowtally::journal
