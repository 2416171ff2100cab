// This file is the machine that the tests of the configuration read on: its environment, its files of
// secrets, its filter language.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "config/read.hpp"

namespace flowtally::config {

inline constexpr std::string_view kToken = "t0ken-of-the-environment";
inline constexpr std::string_view kFileToken = "t0ken-of-a-file";

inline std::optional<std::string> test_environment(const std::string& name) {
  static const std::map<std::string, std::string> kVariables = {
      {"TOKEN", std::string(kToken)},  {"TUN", "tun7"},      {"EMPTY", ""},
      {"TRICK", "${TOKEN}"},           {"YAML", "{a: [b]}"}, {"LINES", "a\nb"},
      {"LONG", std::string(5000, 'x')}};
  const auto found = kVariables.find(name);
  return found == kVariables.end() ? std::nullopt : std::optional(found->second);
}

inline base::Result<std::string> test_secret(const std::string& path) {
  using base::Error;
  if (path == "/secrets/token") return std::string(kFileToken);
  if (path == "/secrets/lines") return std::string("shown-to-all\nsecond line");
  if (path == "/secrets/open")
    return base::fail(Error(base::ErrorCode::kPermission, path + ": every user may read it"));
  return base::fail(Error(base::ErrorCode::kNotFound, "open " + path + ": No such file or directory"));
}

inline base::Status test_filter(const std::string& filter) {
  if (filter.find("wrong") == std::string::npos) return {};
  return base::fail(base::Error(base::ErrorCode::kInvalidArgument,
                                "the filter is wrong at column 1: `wrong` is no field\n  wrong\n  ^"));
}

/// What the administrator's files may do.
inline Rules test_rules() {
  return {.environment = test_environment, .secret_files = test_secret, .check_filter = test_filter};
}

/// One file, called "f".
inline std::expected<Loaded, Refusal> read_text(const std::string& text, const Rules& rules = test_rules()) {
  const SourceFile file{.name = "f", .text = text};
  return read_settings({&file, 1}, rules);
}

}  // namespace flowtally::config
