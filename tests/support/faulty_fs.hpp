// This file is a file system in memory that forgets: what was not synced may be lost at a crash, in part and
// in any order; every operation can be the last, come short or fail. It is stricter than real ones: a new
// file's name is lost without a sync of its directory, and each write is kept or lost apart from the others.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "journal/file_system.hpp"

namespace flowtally::test {

enum class Operation : std::uint8_t {
  kOpen,
  kCreate,
  kRead,
  kWrite,
  kTruncate,
  kSync,
  kRename,
  kRemove,
  kList,
  kMakeDirectory,
  kSyncDirectory,
};

/// Thread-safe.
class FaultyFs final : public journal::FileSystem {
 public:
  /// The errno with which an operation fails; nothing lets it pass.
  using Fault = std::function<std::optional<int>(Operation operation, const std::string& path)>;

  explicit FaultyFs(std::uint64_t seed = 1) : random_(seed) {}

  void set_fault(Fault fault);
  /// Writes beyond so many bytes in all files together fail with ENOSPC, after what still fits.
  void set_capacity(std::uint64_t bytes);
  /// Writes take a random part of what is given.
  void set_short_writes(bool on);

  /// Operations that change something, so far.
  [[nodiscard]] std::uint64_t operations() const;
  /// The machine dies at the operation of this number: a write may come in part, and nothing works after it.
  void crash_at(std::uint64_t operation);
  [[nodiscard]] bool crashed() const;
  /// What a machine finds after it died now. Files that were open are of no use any more.
  void restart();
  /// The same after a kill of the process alone: nothing is lost.
  void restart_process();

  /// The bytes of a file as they are; empty if there is none.
  [[nodiscard]] std::string read(const std::string& path) const;
  [[nodiscard]] bool has(const std::string& path) const;
  [[nodiscard]] std::vector<std::string> paths() const;
  /// Makes or replaces a file, as synced.
  void write(const std::string& path, std::string bytes);
  void erase(const std::string& path);
  /// Flips bits of one byte, as a bad disk does.
  void damage(const std::string& path, std::size_t offset);

  base::Result<std::unique_ptr<journal::File>> open(const std::string& path, journal::OpenMode mode) override;
  base::Status rename(const std::string& from, const std::string& to) override;
  base::Status remove(const std::string& path) override;
  base::Result<std::vector<std::string>> list(const std::string& directory) override;
  base::Status make_directory(const std::string& directory) override;
  base::Status sync_directory(const std::string& directory) override;
  base::Result<std::unique_ptr<journal::FileLock>> lock(const std::string& path) override;
  base::Result<base::UniqueFd> watch(const std::string& directory) override;

 private:
  class OpenFile;
  class Lock;

  struct Change {  // of a file that is not synced
    std::uint64_t offset = 0;
    std::string bytes;
    bool truncate = false;
  };
  struct Inode {
    std::string bytes;
    std::string durable;
    std::vector<Change> changes;
    int names = 0;
  };
  using InodePtr = std::shared_ptr<Inode>;
  struct NameChange {  // a rename is two names at once
    std::string directory;
    std::vector<std::pair<std::string, InodePtr>> names;
  };

  std::optional<base::Error> fails(Operation operation, const std::string& path);  // under the mutex
  void set_name(const std::string& path, InodePtr inode);
  void change_names(std::vector<std::pair<std::string, InodePtr>> names);
  static void apply(std::string& bytes, const Change& change, std::size_t length);
  void settle(Inode& inode);
  [[nodiscard]] std::uint64_t used() const;

  mutable std::mutex mutex_;  // guards what follows
  std::mt19937_64 random_;
  std::map<std::string, InodePtr> names_;
  std::map<std::string, InodePtr> durable_names_;
  std::vector<NameChange> name_changes_;
  std::map<std::string, bool> locks_;
  Fault fault_;
  std::uint64_t capacity_ = UINT64_MAX;
  bool short_writes_ = false;
  std::uint64_t operations_ = 0;
  std::uint64_t crash_at_ = UINT64_MAX;
  bool crashed_ = false;
  std::uint64_t life_ = 0;  ///< files of an earlier one are of no use
};

}  // namespace flowtally::test
