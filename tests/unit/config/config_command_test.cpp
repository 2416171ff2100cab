// Goal: `flowtally config` prints what it is asked for, says each fault on a line, and ends accordingly.
#include <array>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "cli/commands.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::cli {
namespace {

using What = ConfigurationOptions::What;

struct Ran {
  Outcome outcome = Outcome::kDone;
  std::string out{};
  std::string err{};
};

/// Runs the command with files for its output.
Ran ran(const ConfigurationOptions& options) {
  const test::TempDir dir;
  const auto file = [&](const char* name) {
    return base::UniqueFd(::open((dir.path / name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  };
  const auto text_of = [&](const char* name) {
    std::ifstream stream(dir.path / name);
    return std::string{std::istreambuf_iterator<char>(stream), {}};
  };
  const base::UniqueFd out = file("out");
  const base::UniqueFd err = file("err");
  Ran run;
  {
    Console console({.out_fd = out.get(), .err_fd = err.get()});
    run.outcome = configuration(options, console);
  }
  run.out = text_of("out");
  run.err = text_of("err");
  return run;
}

struct File {
  explicit File(const std::string& text) {
    path = (dir.path / "flowtally.yaml").string();
    std::ofstream(path) << text;
  }
  test::TempDir dir{};
  std::string path{};
};

}  // namespace

TEST_CASE("a configuration that is right is said to be", "[unit]") {
  const File file("sinks:\n  a: {type: file, path: /tmp/a, filter: port 443}\n");
  const Ran run = ran({.file = file.path});
  CHECK(run.outcome == Outcome::kDone);
  CHECK(run.out == file.path + ": nothing is wrong, 1 sink\n");
  CHECK(run.err.empty());
}

TEST_CASE("each fault of a configuration is a line, the filter language's too", "[unit]") {
  const File file("capture: {atach: tcx}\nsinks:\n  a: {type: file, path: /tmp/a, filter: prot tcp}\n");
  for (const What what : {What::kCheck, What::kPrint}) {
    const Ran run = ran({.what = what, .file = file.path});
    CHECK(run.outcome == Outcome::kFailed);
    CHECK(run.out.empty());
    CHECK(run.err.find(fmt::format("{}:1:11: capture.atach: unknown key; allowed: ", file.path)) !=
          std::string::npos);
    CHECK(run.err.find(fmt::format("{}:3:41: sinks.a.filter: the filter is wrong at column 1: ",
                                   file.path)) != std::string::npos);
    CHECK(std::ranges::count(run.err, '\n') == 2);
  }
}

TEST_CASE("a configuration is printed as it is said, or with its defaults", "[unit]") {
  const File file("capture: {interface: tun0}\n");
  const Ran said = ran({.what = What::kPrint, .file = file.path});
  CHECK(said.outcome == Outcome::kDone);
  CHECK(said.out == fmt::format("capture:\n  interface: tun0  # {}:1\n", file.path));
  const Ran all = ran({.what = What::kPrint, .file = file.path, .effective = true});
  CHECK(all.out.find("  interval: 5s\n") != std::string::npos);
}

TEST_CASE("the schema is printed whether or not there is a configuration", "[unit]") {
  const Ran run = ran({.what = What::kSchema, .file = "/nowhere"});
  CHECK(run.outcome == Outcome::kDone);
  CHECK(run.out.starts_with("{\"$schema\":"));
}

TEST_CASE("a configuration that is not there is not right", "[unit]") {
  const Ran run = ran({.file = "/nowhere/flowtally.yaml"});
  CHECK(run.outcome == Outcome::kFailed);
  CHECK(run.err == "flowtally: open /nowhere/flowtally.yaml: No such file or directory\n");
}

}  // namespace flowtally::cli
