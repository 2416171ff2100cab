// This file is for our own mistakes: a broken invariant ends the process with the place and the sentence.
// Whatever the kernel, the disk, the network or the user can cause is an Error instead.
#pragma once

namespace flowtally::base {

/// Writes "file:line: check failed: what" to stderr and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* what) noexcept;

}  // namespace flowtally::base

#define FLOWTALLY_CHECK(condition)                     \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::flowtally::base::check_failed(__FILE__, __LINE__, #condition))
