#include <cstdio>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "capture/leftovers.hpp"

namespace flowtally::app {

ExitCode detach(const DetachOptions& options) {
  const auto removed = capture::remove_leftovers(options.bpffs, options.wait);
  if (!removed) {
    fmt::print(stderr, "flowtally: {}\n", removed.error().text());
    return ExitCode::kHost;
  }
  if (removed->pins.empty() && removed->filters == 0) fmt::print("nothing was attached\n");
  for (const std::string& path : removed->pins) fmt::print("removed {}\n", path);
  if (removed->filters > 0) fmt::print("removed {} filters\n", removed->filters);
  return ExitCode::kOk;
}

}  // namespace flowtally::app
