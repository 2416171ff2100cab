#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include <fmt/color.h>
#include <fmt/format.h>
#include <unistd.h>

#include "app/commands.hpp"
#include "app/host_check.hpp"
#include "capture/kernel_check.hpp"
#include "record/text.hpp"

namespace flowtally::app {
namespace {

using capture::Finding;

const char* state_word(Finding::State state) {
  switch (state) {
    case Finding::State::kFound: return "found";
    case Finding::State::kMissing: return "missing";
    case Finding::State::kOptional: return "without";
  }
  return "";
}

fmt::text_style state_style(Finding::State state, bool colour) {
  if (!colour) return {};
  switch (state) {
    case Finding::State::kFound: return fmt::fg(fmt::terminal_color::green);
    case Finding::State::kMissing: return fmt::fg(fmt::terminal_color::red);
    case Finding::State::kOptional: return fmt::fg(fmt::terminal_color::yellow);
  }
  return {};
}

void print_table(const std::vector<Finding>& findings) {
  const bool colour = ::isatty(STDOUT_FILENO) == 1;
  for (const Finding& finding : findings) {
    const std::string word = fmt::format("{:<8}", state_word(finding.state));
    fmt::print("{:<16} {} {}\n", finding.what, fmt::format(state_style(finding.state, colour), "{}", word),
               finding.text);
    if (!finding.remedy.empty()) fmt::print("{:<16}          -> {}\n", "", finding.remedy);
  }
}

void print_json(const std::vector<Finding>& findings) {
  std::string text = "[";
  for (const Finding& finding : findings) {
    if (text.size() > 1) text += ',';
    text += "{\"what\":";
    record::append_json_string(finding.what, text);
    text += fmt::format(",\"state\":\"{}\",\"text\":", state_word(finding.state));
    record::append_json_string(finding.text, text);
    text += ",\"remedy\":";
    record::append_json_string(finding.remedy, text);
    text += '}';
  }
  fmt::print("{}]\n", text);
}

}  // namespace

ExitCode check(const CheckOptions& options) {
  auto findings = capture::check_kernel(options.interface, options.bpffs);
  for (Finding& finding : check_host({.state_dir = options.state_dir,
                                      .tailscaled_socket = options.tailscaled_socket,
                                      .user = options.user}))
    findings.push_back(std::move(finding));
  const bool missing = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.state == Finding::State::kMissing;
  });
  if (options.json) {
    print_json(findings);
  } else {
    print_table(findings);
    fmt::print("\n{}\n", missing ? "flowtally cannot run here until what is missing is there."
                                 : "flowtally can run here.");
  }
  return missing ? ExitCode::kHost : ExitCode::kOk;
}

ExitCode version() {
  fmt::print("flowtally {}\n", FLOWTALLY_VERSION);
  return ExitCode::kOk;
}

}  // namespace flowtally::app
