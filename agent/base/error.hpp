// This file is the one shape that failures have: a code to decide by, the errno where there is one, and a
// sentence for people that says what failed, on which object, why, and what to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flowtally::base {

/// What kind of failure; callers decide by it, people read the text.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument,  ///< the caller or the user gave something impossible
  kNotFound,         ///< a file, device, map or entry is not there
  kPermission,       ///< a capability, a file mode or a security module says no
  kUnsupported,      ///< this kernel or this build cannot do it
  kResource,         ///< memory, descriptors, disk space or map room ran out
  kIo,               ///< reading or writing failed
  kCorrupt,          ///< data that should hold together does not
  kInternal,         ///< our own mistake
};

/// A failure with its context. Cheap to move; made only on failure.
class Error {
 public:
  /// `what` says what failed on which object, without a trailing full stop.
  Error(ErrorCode code, std::string what) : code_(code), what_(std::move(what)) {}

  /// From an errno value (positive). The code follows from the errno.
  [[nodiscard]] static Error from_errno(int sys_errno, std::string what);

  /// Adds the surrounding step: `e.during("attach to tailscale0")`. The outermost step is read first.
  [[nodiscard]] Error during(std::string step) &&;
  /// What the user can do about it: an imperative sentence without a full stop. The innermost advice stays.
  [[nodiscard]] Error advise(std::string remedy) &&;

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  [[nodiscard]] int sys_errno() const noexcept { return sys_errno_; }
  [[nodiscard]] const std::string& remedy() const noexcept { return remedy_; }

  /// "step: step: what: strerror. Remedy." in one line.
  [[nodiscard]] std::string text() const;

 private:
  ErrorCode code_;
  int sys_errno_ = 0;
  std::string what_;
  std::string remedy_;
  std::vector<std::string> steps_;  // innermost first
};

/// The code that an errno stands for.
[[nodiscard]] ErrorCode code_of_errno(int sys_errno) noexcept;

/// strerror without its shared buffer; thread-safe.
[[nodiscard]] std::string errno_text(int sys_errno);

}  // namespace flowtally::base
