// This file keeps what a receiver has refused for good, with the reason, until somebody looks at it or sends
// it again: STATE_DIR/sinks/NAME/dead-letters.ndjson, a line for each item.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "journal/file_system.hpp"
#include "model/sink_settings.hpp"
#include "sink/batch.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

/// Beyond that the file becomes the one before, and what was in that goes.
inline constexpr std::uint64_t kDeadLetterFileBytesMax = std::uint64_t{64} << 20U;
/// Of a reason; the rest of it is cut.
inline constexpr std::size_t kReasonBytesMax = 1024;

/// One item that was refused.
struct DeadLetter {
  model::LogType log_type = model::LogType::kNetwork;
  Item item{};  ///< but for its place in a batch's text
  std::string text{};
  std::string reason{};
  bool whole = true;  ///< false: the text is no JSON, so nobody can be sent it
};

/// Thread-safe between objects of the same folder: lines are appended in one write each.
class DeadLetters {
 public:
  /// `files` must outlive it.
  DeadLetters(std::string folder, std::string sink,
              journal::FileSystem& files = journal::posix_file_system());

  /// On the disk when it returns. With an Error some of them may be there; they are written again then.
  [[nodiscard]] base::Status append(const std::vector<DeadLetter>& letters);
  /// The files that there are, for take().
  enum class Which : std::uint8_t { kTaken, kNow, kBefore };
  /// Puts the file aside, so that append() begins another one, and reads it; lines that are none are passed
  /// over. What was taken is taken again by kTaken, until it is dropped.
  [[nodiscard]] base::Result<std::vector<DeadLetter>> take(Which which);
  [[nodiscard]] base::Status drop_taken();
  /// Bytes of the files.
  [[nodiscard]] std::uint64_t bytes() const;

  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }

 private:
  [[nodiscard]] std::string line_of(const DeadLetter& letter) const;
  [[nodiscard]] base::Status rotate();

  std::string folder_;
  std::string sink_;
  journal::FileSystem& files_;
};

/// STATE_DIR/sinks/NAME
[[nodiscard]] std::string sink_folder(const std::string& state_dir, const std::string& name);

struct ReplayResult {
  std::uint64_t delivered = 0;
  std::uint64_t refused = 0;  ///< again; kept
};

/// Sends the dead letters of one sink again, those of this log type; what is refused again is kept, and so is
/// everything where the receiver does not take it now (kIo, with the reason).
[[nodiscard]] base::Result<ReplayResult> replay(DeadLetters& letters, Receiver& receiver,
                                                model::LogType log_type, const std::stop_token& stop);

}  // namespace flowtally::sink
