// This file runs the commands that ask a running agent, or read its journal: it gives them a console that
// Ctrl-C ends, and makes exit codes of how they end.
#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "app/record_journal.hpp"
#include "app/stop_signal.hpp"
#include "cli/commands.hpp"

namespace flowtally::app {
namespace {

ExitCode exit_code_of(cli::Outcome outcome) {
  switch (outcome) {
    case cli::Outcome::kDone: return ExitCode::kOk;
    case cli::Outcome::kFailed: return ExitCode::kFailed;
    case cli::Outcome::kUsage: return ExitCode::kUsage;
    case cli::Outcome::kUnreachable: return ExitCode::kUnreachable;
    case cli::Outcome::kStopped: return ExitCode::kStopped;
  }
  return ExitCode::kFailed;
}

template <class Command>
ExitCode with_console(const Command& command) {
  auto stop = StopSignal::open();
  if (!stop) {
    fmt::print(stderr, "flowtally: {}\n", stop.error().text());
    return ExitCode::kFailed;
  }
  cli::Console console({.stop_fd = stop->fd()});
  return exit_code_of(command(console));
}

/// A filter may be one argument or many.
std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

}  // namespace

ExitCode status(const StatusOptions& options) {
  return with_console([&](cli::Console& console) {
    return cli::show_status({.what = options.what, .socket = options.ask.socket, .json = options.ask.json},
                            console);
  });
}

ExitCode peers(const AskOptions& options) {
  return with_console([&](cli::Console& console) {
    return cli::show_peers({.socket = options.socket, .json = options.json}, console);
  });
}

ExitCode tail(const TailOptions& options) {
  return with_console([&](cli::Console& console) {
    return cli::follow({.socket = options.socket, .filter = joined(options.filter), .json = options.json},
                       console);
  });
}

ExitCode query(QueryOptions options) {
  options.text.filter = joined(options.filter);
  return with_console([&](cli::Console& console) {
    return cli::run_query({.socket = options.socket,
                           .text = std::move(options.text),
                           .format = options.json ? cli::Format::kJson : options.format,
                           .journal = options.state_dir.empty() ? "" : network_journal_in(options.state_dir),
                           .threads = std::max(1U, std::thread::hardware_concurrency())},
                          console);
  });
}

ExitCode stream(const cli::StreamOptions& options) {
  return with_console([&](cli::Console& console) { return cli::stream(options, console); });
}

ExitCode configuration(const cli::ConfigurationOptions& options) {
  return with_console([&](cli::Console& console) { return cli::configuration(options, console); });
}

}  // namespace flowtally::app
