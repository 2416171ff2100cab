// This file makes one tree of the configuration's files: each is read as YAML, variables are put in, and maps
// of the same name become one. A key that two files have is a fault with both places. Pure: the files' texts
// and the environment are given.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/faults.hpp"

namespace flowtally::config {

inline constexpr std::size_t kFileBytesMax = std::size_t{256} << 10U;
inline constexpr std::size_t kFilesMax = 64;
inline constexpr std::size_t kValuesMax = 10'000;       ///< of all files together, maps and lists too
inline constexpr std::size_t kVariableBytesMax = 4096;  ///< of one variable's value, and of a value with it

struct SourceFile {
  std::string name{};
  std::string text{};
};

/// The value of a variable; nothing where it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

struct Node {
  enum class Kind : std::uint8_t { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  Place at{};
  std::string text{};                ///< of a scalar, with variables put in
  std::string written{};             ///< as the file has it: what messages show
  bool variables = false;            ///< `text` comes from the environment, at least in part
  bool literal = false;              ///< something of `text` stands in the file itself
  bool told = false;                 ///< what is wrong with it is a fault already; kNull then
  std::vector<std::string> names{};  ///< of a map, each once
  std::vector<Place> name_places{};
  std::vector<Node> items{};  ///< of a list, or the values of a map

  [[nodiscard]] const Node* find(std::string_view name) const noexcept;
};

/// The tree of all files; a file with no YAML in it adds faults and nothing else. With no environment
/// a substitution is a fault.
[[nodiscard]] Node read_document(std::span<const SourceFile> files, const Environment& environment,
                                 Faults& faults);

}  // namespace flowtally::config
