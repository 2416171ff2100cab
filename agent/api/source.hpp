// This file is what the API asks of the agent, and all that it knows of it.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "model/agent_status.hpp"
#include "model/classified_window.hpp"
#include "model/node_map.hpp"
#include "model/sink_settings.hpp"

namespace flowtally::api {

using model::LogType;

/// What the active generation has counted so far. It is not a record: the next drain counts it again, whole.
struct LiveWindow {
  model::ClassifiedWindow window{};  ///< `end` is the moment of reading
  std::string node_id{};
  std::string boot_id{};
};

/// Every function may be called by any number of threads at once and answers soon: none waits for the disk,
/// for tailscaled or for the end of a drain. Must outlive the server.
class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  [[nodiscard]] virtual model::AgentStatus status() = 0;
  /// The newest state of the tailnet; never null.
  [[nodiscard]] virtual std::shared_ptr<const model::NodeMap> tailnet() = 0;
  /// Reads the active generation without disturbing it, or gives what was read at most a second ago.
  [[nodiscard]] virtual base::Result<LiveWindow> live() = 0;
  /// Where the journal of these logs is; empty: there is none, which reads as an empty one.
  [[nodiscard]] virtual std::string journal_directory(LogType type) const = 0;
};

}  // namespace flowtally::api
