// This file runs the set of sinks: each has a stream of its own for each log that it takes, and none of them
// waits for another.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "model/sink_settings.hpp"
#include "model/sink_status.hpp"
#include "sink/stream.hpp"

namespace flowtally::sink {

struct StreamsOptions {
  std::string state_dir{};
  /// The directory of the journal of that log; empty: there is none.
  std::function<std::string(model::LogType)> journal{};
  /// A state began or changed; called by any stream's thread, and by apply().
  std::function<void(const model::SinkStatus&)> changed{};
};

/// Thread-safe.
class Streams {
 public:
  explicit Streams(StreamsOptions options) : options_(std::move(options)) {}

  /// From now on these are the sinks: new ones begin, those that are gone end, those whose settings changed
  /// begin anew behind their cursors, the others go on undisturbed. One that cannot begin is in status() with
  /// the reason, misconfigured; apply() again tries it again. Waits for those that end, a few tenths of a
  /// second.
  void apply(const std::vector<model::SinkSettings>& sinks);
  [[nodiscard]] std::vector<model::SinkStatus> status() const;
  /// Throws away where a sink has got to in each journal; it must not run.
  [[nodiscard]] base::Status forget(const std::string& name);

 private:
  struct Running {
    model::SinkSettings settings{};
    std::unique_ptr<Stream> stream{};  ///< null: it could not begin
    model::SinkStatus failed{};        ///< then
  };
  using Key = std::pair<std::string, model::LogType>;

  [[nodiscard]] Running begin(const model::SinkSettings& settings, model::LogType log_type);

  StreamsOptions options_;
  std::mutex applying_;       ///< one apply() at a time
  mutable std::mutex mutex_;  ///< guards running_; not held while a stream begins or ends
  std::map<Key, Running> running_;
};

}  // namespace flowtally::sink
