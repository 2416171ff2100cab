// This file is where records leave the agent: lines of NDJSON to a descriptor that may be slow, full or gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace flowtally::app {

/// Takes whole lines. The agent drains the next window only when everything before it has been taken, so what
/// waits here is one window at the most: the kernel goes on counting meanwhile, and nothing is lost.
class RecordOutput {
 public:
  enum class Progress : std::uint8_t {
    kDone,     ///< everything added so far is written
    kWaiting,  ///< the receiver takes no more right now; try again
  };

  RecordOutput() = default;
  RecordOutput(const RecordOutput&) = delete;
  RecordOutput& operator=(const RecordOutput&) = delete;
  virtual ~RecordOutput() = default;

  /// Adds one line, with its line end. Never fails and never waits.
  virtual void add(std::string_view line) = 0;
  /// Writes what can be written now. After an Error nothing of what is left is lost and the call can be
  /// repeated, unless is_final() says that nobody will ever take it.
  [[nodiscard]] virtual base::Result<Progress> flush() = 0;
};

/// True where repeating flush() makes no sense: the reader is gone.
[[nodiscard]] bool is_final(const base::Error& error) noexcept;

/// Lines to a file or to stdout.
class DescriptorOutput final : public RecordOutput {
 public:
  /// `path` "-": stdout. A file is appended to, made with mode 0640 if need be; a torn last line, left by
  /// somebody who was killed, is ended first.
  [[nodiscard]] static base::Result<DescriptorOutput> open(const std::string& path);
  DescriptorOutput(base::UniqueFd fd, std::string name) noexcept
      : fd_(std::move(fd)), name_(std::move(name)) {}
  DescriptorOutput(DescriptorOutput&& other) noexcept
      : fd_(std::move(other.fd_)),
        name_(std::move(other.name_)),
        pending_(std::move(other.pending_)),
        written_(std::exchange(other.written_, 0)) {}

  void add(std::string_view line) override;
  [[nodiscard]] base::Result<Progress> flush() override;

 private:
  base::UniqueFd fd_;
  std::string name_;  ///< for error messages
  std::string pending_;
  std::size_t written_ = 0;  ///< bytes of pending_ that are out
};

}  // namespace flowtally::app
