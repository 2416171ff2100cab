// This file reads the fixtures of tests/golden/record.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "test_paths.h"

namespace flowtally::record {

/// `path` from the root of the source tree.
inline std::vector<std::string> lines_of_file(const std::string& path) {
  std::ifstream file(FLOWTALLY_SOURCE_DIR "/" + path);
  REQUIRE(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  REQUIRE_FALSE(lines.empty());
  return lines;
}

inline std::vector<std::string> golden_lines(const std::string& name) {
  return lines_of_file("tests/golden/record/" + name);
}

/// "left right" of each line; only the first space parts them.
inline std::vector<std::pair<std::string, std::string>> golden_pairs(const std::string& name) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& line : golden_lines(name)) {
    const std::size_t space = line.find(' ');
    REQUIRE(space != std::string::npos);
    pairs.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return pairs;
}

inline std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16));
  }
  return bytes;
}

}  // namespace flowtally::record
