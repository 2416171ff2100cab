// This file is what the configuration file can say, as values. What it does not say is nothing here, so that
// whoever starts the agent can let flags win over the file, and the file over defaults. The words of the file
// are in settings_keys.cpp and sink_keys.cpp, and for people in docs/formats/config.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/sink_settings.hpp"

namespace flowtally::config {

inline constexpr const char* kDefaultFile = "/etc/flowtally/flowtally.yaml";

enum class Attach : std::uint8_t { kAuto, kTcx, kClsact };
/// When records are synced to the disk: with each window, once a second, or when the kernel likes to.
enum class Sync : std::uint8_t { kWindow, kSecond, kNever };

struct CaptureSettings {
  std::optional<std::string> interface{};
  std::optional<std::chrono::milliseconds> interval{};
  std::optional<std::uint32_t> flows_max{};
  std::optional<Attach> attach{};
  std::optional<bool> exclude{};
  std::optional<std::string> bpffs{};
  std::optional<bool> underlay{};                                 ///< count tailscaled's own datagrams
  std::optional<std::vector<std::string>> underlay_interfaces{};  ///< empty: found by themselves

  friend bool operator==(const CaptureSettings&, const CaptureSettings&) = default;
};

struct RecordSettings {
  std::optional<std::string> node_id{};
  std::optional<bool> accounting{};
  std::optional<bool> log_exit_flows{};
  std::optional<std::string> output{};  ///< a file that a copy is appended to; "-": stdout

  friend bool operator==(const RecordSettings&, const RecordSettings&) = default;
};

struct IdentitySettings {
  std::optional<std::string> tailscaled_socket{};
  std::optional<std::string> file{};

  friend bool operator==(const IdentitySettings&, const IdentitySettings&) = default;
};

struct JournalSettings {
  std::optional<bool> enabled{};
  std::optional<std::string> state_dir{};
  std::optional<std::uint64_t> retain_bytes{};
  std::optional<std::chrono::milliseconds> retain_age{};
  std::optional<Sync> fsync{};

  friend bool operator==(const JournalSettings&, const JournalSettings&) = default;
};

struct ApiSettings {
  std::optional<std::string> socket{};
  std::optional<std::string> socket_group{};
  std::optional<std::string> admin_group{};  ///< its members may change things over the API
  std::optional<std::string> listen{};
  std::optional<std::string> token_file{};  ///< read by the API, not here

  friend bool operator==(const ApiSettings&, const ApiSettings&) = default;
};

struct Settings {
  CaptureSettings capture{};
  RecordSettings records{};
  IdentitySettings identity{};
  JournalSettings journal{};
  ApiSettings api{};
  std::vector<model::SinkSettings> sinks{};  ///< by name

  friend bool operator==(const Settings&, const Settings&) = default;
};

/// With every default in its place; what has none stays nothing.
[[nodiscard]] Settings with_defaults(Settings settings);

}  // namespace flowtally::config
