// This file is how a program that is built for crash tests dies where the environment says.
#include "app/fault_point.hpp"

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include <unistd.h>

namespace flowtally::app {

void fault_point(const char* name) noexcept {
  const char* const wanted = std::getenv("FLOWTALLY_KILL_AT");
  if (wanted == nullptr) return;
  std::string_view where = wanted;
  int nth = 1;
  if (const std::size_t colon = where.find(':'); colon != std::string_view::npos) {
    std::from_chars(where.data() + colon + 1, where.data() + where.size(), nth);
    where = where.substr(0, colon);
  }
  static int passed = 0;  // of the one that is wanted; the agent's loop is one thread
  if (where == name && ++passed == nth) ::kill(::getpid(), SIGKILL);
}

}  // namespace flowtally::app
