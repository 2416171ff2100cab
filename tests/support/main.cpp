// This file is the main of every test program: exit code 0 (all passed), 1 (a test failed) or 77 (every test
// was skipped, each with its reason printed), because Catch2's own exit code is a count.
#include <cstdio>

#include "support/catch.hpp"

int main(int argc, char** argv) {
  const int result = Catch::Session().run(argc, argv);
  if (result == 4) {  // Catch::AllTestsSkippedExitCode, v3.3 and later
    std::fputs("skipped: see the reasons above\n", stderr);
    return 77;
  }
  return result == 0 ? 0 : 1;
}
