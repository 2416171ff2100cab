// This file mounts a BPF file system that only one test uses.
#pragma once

#include <filesystem>
#include <string>

#include <stdlib.h>
#include <sys/mount.h>

#include "support/catch.hpp"

namespace flowtally::test {

/// A new, empty BPF file system, mounted for as long as this object lives.
class PrivateBpffs {
 public:
  PrivateBpffs() {
    char path[] = "/tmp/flowtally-bpffs-XXXXXX";
    REQUIRE(::mkdtemp(path) != nullptr);
    path_ = path;
    if (::mount("bpf", path, "bpf", 0, nullptr) != 0) {
      ::rmdir(path);
      SKIP("needs the right to mount a BPF file system");
    }
  }
  PrivateBpffs(const PrivateBpffs&) = delete;
  PrivateBpffs& operator=(const PrivateBpffs&) = delete;
  ~PrivateBpffs() {
    ::umount2(path_.c_str(), MNT_DETACH);
    ::rmdir(path_.c_str());
  }

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// Where flowtally's pins are.
  [[nodiscard]] std::string folder() const { return path_ + "/flowtally"; }
  /// Files and directories in that, at any depth.
  [[nodiscard]] std::size_t entries() const {
    std::size_t count = 0;
    if (!std::filesystem::exists(folder())) return 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder())) {
      static_cast<void>(entry);
      ++count;
    }
    return count;
  }

 private:
  std::string path_;
};

}  // namespace flowtally::test
