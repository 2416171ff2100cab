// This file reads YAML into a small tree that knows where everything stood, within limits. yaml-cpp does the
// syntax; of YAML only what a settings file needs is taken: lists, maps and scalars, in one document. Anchors
// and aliases are refused, because with them a short file can mean a huge one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace flowtally::yaml {

inline constexpr std::size_t kYamlDepthMax = 16;
inline constexpr std::size_t kYamlNodesMax = 1'000'000;
inline constexpr std::size_t kYamlKeysMax = 64;  ///< of one map

/// One value with its place, counted from 1.
struct YamlNode {
  enum class Kind : std::uint8_t { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  int line = 1;
  int column = 1;
  std::string text{};             ///< of a scalar
  std::vector<YamlNode> keys{};   ///< of a map, as many as values; scalars, each once
  std::vector<YamlNode> items{};  ///< of a list, or the values of a map
};

/// The one document of `text`; kNull where there is nothing in it. Errors begin with "NAME:LINE:COLUMN: ".
[[nodiscard]] base::Result<YamlNode> parse_yaml(std::string_view text, const std::string& name);

/// An error at this place: "NAME:LINE:COLUMN: what".
[[nodiscard]] base::Error yaml_error(const std::string& name, const YamlNode& node, std::string_view what);

}  // namespace flowtally::yaml
