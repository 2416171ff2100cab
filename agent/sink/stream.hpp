// This file is the delivery engine: one thread that reads one journal behind a cursor, makes batches, sends
// them until the receiver has acknowledged each item or refused it for good, and moves the cursor only then.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "journal/file_system.hpp"
#include "model/sink_settings.hpp"
#include "model/sink_status.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

struct StreamOptions {
  model::SinkSettings settings{};
  model::LogType log_type = model::LogType::kNetwork;
  std::string journal_directory{};
  std::string state_dir{};  ///< dead letters: state_dir/sinks/NAME/dead-letters.ndjson
  /// Told once when a state begins or changes, from the stream's thread.
  std::function<void(const model::SinkStatus&)> changed{};
};

/// Everything in the journal behind the cursor reaches the receiver: at least once, and where the receiver
/// knows ids, once. Memory: two batches. The destructor stops it; what is not acknowledged then is sent again
/// by the next one.
class Stream {
 public:
  /// kInvalidArgument: the filter. kIo, kPermission: the cursor or the journal cannot be read.
  [[nodiscard]] static base::Result<std::unique_ptr<Stream>> start(StreamOptions options,
                                                                   std::unique_ptr<Receiver> receiver);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  [[nodiscard]] model::SinkStatus status() const;

 private:
  struct Inner;
  explicit Stream(std::unique_ptr<Inner> inner);
  std::unique_ptr<Inner> inner_;
};

}  // namespace flowtally::sink
