// This file takes the configuration from the disk: the file itself, the files of conf.d beside it, and files
// with secrets. The only part of this folder that touches the machine, with kept_streams.cpp.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/read.hpp"

namespace flowtally::config {

inline constexpr std::size_t kSecretBytesMax = 2048;  ///< of a file with a secret

struct LoadOptions {
  std::string file = kDefaultFile;
  bool may_be_absent = false;  ///< then nothing is said, and that is all right
  FilterCheck check_filter{};
};

/// `file`, then the files *.yaml of the directory conf.d beside it in the order of their names.
[[nodiscard]] std::expected<Loaded, Refusal> load_settings(const LoadOptions& options);

/// What may be used by a text that the machine's administrator has written.
[[nodiscard]] Rules trusted_rules(FilterCheck check_filter);

/// The content of a file with a secret, without one line end behind it. kPermission: every user may read or
/// write it. kInvalidArgument: it is empty, too long, or no regular file.
[[nodiscard]] base::Result<std::string> read_secret_file(const std::string& path);

/// All of a file of at most so many bytes; longer ones are cut there, which shows in the size.
[[nodiscard]] base::Result<std::string> read_start_of_file(const std::string& path, std::size_t bytes_max);

}  // namespace flowtally::config
