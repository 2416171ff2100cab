// This file reads a configuration: texts of files in, typed settings out, or everything that is wrong with
// them, each with its place. It goes by the table of keys. Files of secrets, the environment and the filter
// language are asked through functions, so that nothing here touches the machine.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/document.hpp"
#include "config/faults.hpp"
#include "config/settings.hpp"

namespace flowtally::config {

inline constexpr std::size_t kSinksMax = 64;
inline constexpr std::size_t kSinkNameBytesMax = 48;
/// Names with this in front belong to the streams of Tailscale's API.
inline constexpr std::string_view kReservedPrefix = "api-";

/// The content of a file with a secret, without the line end behind it.
using SecretReader = std::function<base::Result<std::string>(const std::string& path)>;
/// kInvalidArgument: it is no filter.
using FilterCheck = std::function<base::Status(const std::string& filter)>;

/// Who wrote the text decides what it may do. The default is what may do nothing.
struct Rules {
  Environment environment{};     ///< none: variables are a fault
  SecretReader secret_files{};   ///< none: keys with _file for a secret are a fault
  FilterCheck check_filter{};    ///< none: filters are taken as they are
  bool literal_secrets = false;  ///< a secret may stand in the text itself
  bool reserved_names = false;   ///< sinks may be called as those of Tailscale's API are
};

/// Where a value was given, and how if not as it stands there.
struct Origin {
  Place at{};
  std::string via{};  ///< "${NAME}", "the file PATH"; empty: as it stands
};
/// By path: "capture.interval", "sinks.mysiem.url", and "sinks.mysiem" itself.
using Origins = std::map<std::string, Origin, std::less<>>;

struct Loaded {
  Settings settings{};
  Origins origins{};
  std::vector<std::string> files{};  ///< their names, as origins count them
};

[[nodiscard]] std::expected<Loaded, Refusal> read_settings(std::span<const SourceFile> files,
                                                           const Rules& rules);

/// One sink, as it stands under its name in `sinks:`. JSON is fine too.
[[nodiscard]] std::expected<model::SinkSettings, Refusal> read_sink(const std::string& name,
                                                                    const SourceFile& file,
                                                                    const Rules& rules);

}  // namespace flowtally::config
