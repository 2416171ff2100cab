// This file runs a command in bash, as a user would.
#pragma once

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include <sys/wait.h>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::test {

struct Ran {
  int status = 0;
  std::string out;  ///< stderr is in it
};

[[nodiscard]] inline Ran run_in_shell(const std::string& command) {
  const TempDir folder;
  const auto script = folder.path / "script";
  std::ofstream(script) << command << '\n';
  FILE* const pipe = ::popen(("bash -euo pipefail " + script.string() + " 2>&1").c_str(), "re");
  REQUIRE(pipe != nullptr);
  Ran ran;
  char buffer[4096];
  for (std::size_t size = 0; (size = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    ran.out.append(buffer, size);
  const int status = ::pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

/// The one number that the command prints.
[[nodiscard]] inline std::uint64_t number_in_shell(const std::string& command) {
  const Ran ran = run_in_shell(command);
  INFO(command << '\n' << ran.out);
  REQUIRE(ran.status == 0);
  return std::stoull(ran.out);
}

}  // namespace flowtally::test
