// This file makes directories that go with their test.
#pragma once

#include <filesystem>
#include <string>

#include <stdlib.h>

#include "support/catch.hpp"

namespace flowtally::test {

struct TempDir {
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "flowtally-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

}  // namespace flowtally::test
