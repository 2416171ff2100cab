// This file is what can be changed over the API, and who may: the streams, and the configuration.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/log_stream.hpp"
#include "api/request.hpp"
#include "api/source.hpp"
#include "base/result.hpp"
#include "model/sink_status.hpp"

namespace flowtally::api {

/// What came of sending dead letters again.
struct Replayed {
  std::uint64_t delivered = 0;
  std::uint64_t refused = 0;  ///< again, and kept
};

/// The name of the sink that Tailscale's stream of that type of log is.
[[nodiscard]] inline std::string api_stream_name(LogType type) {
  return "api-" + std::string(model::log_type_name(type));
}

/// Any number of threads may call. Every change is an event of the audit log, refused ones too; with an Error
/// nothing was changed. kInvalidArgument: what was sent; kNotFound: no such stream; kIo: it cannot be kept.
class Control {
 public:
  Control() = default;
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;
  virtual ~Control() = default;

  /// Root, the user that flowtally runs as, or a member of the admin group.
  [[nodiscard]] virtual bool may_change(const Caller& caller) const = 0;
  /// An attempt of somebody who may not: for the audit log.
  virtual void refused(const Caller& caller, std::string_view what) = 0;

  // Tailscale's: one stream for each type of log.
  [[nodiscard]] virtual std::optional<LogStream> stream(LogType type) = 0;
  [[nodiscard]] virtual base::Status put_stream(LogType type, LogStream stream, const Caller& caller) = 0;
  [[nodiscard]] virtual base::Status delete_stream(LogType type, const Caller& caller) = 0;

  // Ours: any number of sinks.
  [[nodiscard]] virtual std::vector<model::SinkStatus> sinks() = 0;
  /// `text` is YAML, or JSON, as in the configuration file's `sinks:`. An existing sink is replaced; one of
  /// the configuration file is not (kPermission).
  [[nodiscard]] virtual base::Status put_sink(const std::string& name, std::string_view text,
                                              const Caller& caller) = 0;
  [[nodiscard]] virtual base::Status delete_sink(const std::string& name, const Caller& caller) = 0;
  /// Sends one marked record; the receiver's answer, in a sentence.
  [[nodiscard]] virtual base::Result<std::string> test_sink(const std::string& name,
                                                            const Caller& caller) = 0;
  [[nodiscard]] virtual base::Result<Replayed> replay(const std::string& name, const Caller& caller) = 0;

  /// Reads the configuration file again: as a whole, or not at all.
  [[nodiscard]] virtual base::Status reload(const Caller& caller) = 0;
  /// The configuration that is in force, as JSON, secrets masked.
  [[nodiscard]] virtual std::string configuration() = 0;
};

}  // namespace flowtally::api
