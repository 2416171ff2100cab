// This file keeps what libbpf says, so that an error can end with the verifier's last words instead of a bare
// errno.
#pragma once

#include <string>

namespace flowtally::capture {

/// While it lives, libbpf's warnings of this thread are collected and nothing is printed. One per thread at a
/// time.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  /// The last lines, joined by "; ", at most about 600 characters.
  [[nodiscard]] std::string tail() const;

 private:
  std::string text_;
};

}  // namespace flowtally::capture
