// The program: everything is in app/.
#include <cstdio>
#include <exception>

#include "app/commands.hpp"

int main(int argc, char** argv) {
  try {
    return static_cast<int>(flowtally::app::run_command_line(argc, argv));
  } catch (const std::exception& error) {  // out of memory, or a library's exception that nobody expected
    std::fprintf(stderr, "flowtally: %s\n", error.what());
    return static_cast<int>(flowtally::app::ExitCode::kFailed);
  }
}
