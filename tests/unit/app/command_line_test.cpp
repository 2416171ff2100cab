// Goal: what the program says to a command line, and the code it ends with. Method: the built program is run
// as a child, as a user would; nothing here attaches to a device that is used.
#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "support/catch.hpp"
#include "support/process.hpp"

namespace flowtally::app {
namespace {

using Catch::Matchers::ContainsSubstring;

struct Ended {
  int code = -1;
  std::string out;
  std::string err;
};

Ended run_program(const std::vector<std::string>& arguments) {
  test::Program program(arguments);
  const int code = program.wait(std::chrono::seconds(20));
  return {.code = code, .out = program.out(), .err = program.err()};
}

TEST_CASE("without a subcommand the program says that it needs one", "[unit]") {
  const Ended ended = run_program({});
  CHECK(ended.code == 2);
  CHECK_THAT(ended.err, ContainsSubstring("subcommand"));
  CHECK_THAT(ended.err, ContainsSubstring("--help"));
  CHECK(ended.out.empty());
}

TEST_CASE("what nobody knows is named", "[unit]") {
  struct Case {
    std::vector<std::string> arguments;
    std::string named;
  };
  const auto row = GENERATE(Case{{"run", "--colour"}, "--colour"}, Case{{"check", "--yaml"}, "--yaml"},
                            Case{{"demo", "--interface", "lo"}, "--interface"}, Case{{"version", "-x"}, "-x"},
                            Case{{"run", "again"}, "again"}, Case{{"run", "--attach", "xdp"}, "xdp"});
  const Ended ended = run_program(row.arguments);
  INFO(row.named);
  CHECK(ended.code == 2);
  CHECK_THAT(ended.err, ContainsSubstring(row.named));
  CHECK(ended.out.empty());
}

TEST_CASE("options that contradict each other are refused, both named", "[unit]") {
  struct Case {
    std::vector<std::string> arguments;
    std::string one;
    std::string other;
  };
  const auto row = GENERATE(
      Case{{"run", "--identity", "a", "--tailscaled-socket", "b"}, "--identity", "--tailscaled-socket"},
      Case{{"run", "--no-physical", "--underlay", "eth0"}, "--no-physical", "--underlay"});
  const Ended ended = run_program(row.arguments);
  CHECK(ended.code == 2);
  CHECK_THAT(ended.err, ContainsSubstring(row.one));
  CHECK_THAT(ended.err, ContainsSubstring(row.other));
}

TEST_CASE("a value that is not possible is refused with its option and the remedy, before anything is done",
          "[unit]") {
  struct Case {
    std::vector<std::string> arguments;
    std::string option;
    std::string remedy;
  };
  const auto row =
      GENERATE(Case{{"run", "--interval", "5"}, "--interval", "Write 250ms, 5s, 2m or 1h"},
               Case{{"run", "--interval", "1ms"}, "--interval", "from 100ms to 1h"},
               Case{{"run", "--interval=2h"}, "--interval", "from 100ms to 1h"},
               Case{{"run", "--max-flows", "3"}, "--max-flows", "from 16 to 16777216"},
               Case{{"run", "--retain-size", "4"}, "--retain-size", "Write 500M, 4G or 1T"},
               Case{{"run", "--retain-size", "1023K"}, "--retain-size", "1M is the least"},
               Case{{"run", "--retain-size", "99999999999T"}, "--retain-size", "is no size of a journal"},
               Case{{"run", "--retain-age", "5s"}, "--retain-age", "Write 90m, 12h, 30d or 8w"},
               Case{{"run", "--fsync", "sometimes"}, "--fsync", "sometimes"},
               Case{{"run", "--interface", "a/b"}, "--interface", "without slash, colon or space"},
               Case{{"run", "--node-id", "a b"}, "--node-id", "without spaces"},
               Case{{"run", "--underlay", "a/b"}, "--underlay", "without slash, colon or space"},
               Case{{"run", "--duration", "5"}, "--duration", "Write 250ms, 5s, 2m or 1h"},
               Case{{"demo", "--duration", "soon"}, "--duration", "Write 250ms, 5s, 2m or 1h"},
               Case{{"demo", "--max-flows", "17M"}, "--max-flows", "from 16 to 16777216"},
               Case{{"check", "--interface", "1234567890123456"}, "--interface", "1 to 15 characters"});
  const Ended ended = run_program(row.arguments);
  INFO(row.arguments.back());
  CHECK(ended.code == 2);
  CHECK_THAT(ended.err, ContainsSubstring(row.option));
  CHECK_THAT(ended.err, ContainsSubstring(row.remedy));
  CHECK(ended.out.empty());
}

TEST_CASE("an option without its value is refused", "[unit]") {
  const std::string option =
      GENERATE(as<std::string>(), "--interval", "--interface", "--max-flows", "--output", "--node-id");
  const Ended ended = run_program({"run", option});
  CHECK(ended.code == 2);
  CHECK_THAT(ended.err, ContainsSubstring(option));
}

TEST_CASE("version prints one line and ends with 0", "[unit]") {
  const Ended ended = run_program({"version"});
  CHECK(ended.code == 0);
  CHECK_THAT(ended.out, Catch::Matchers::Matches("flowtally [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  CHECK(ended.err.empty());
}

TEST_CASE("--help names the subcommands and the exit codes", "[unit]") {
  const Ended ended = run_program({"--help"});
  CHECK(ended.code == 0);
  CHECK(ended.err.empty());
  for (const char* const word : {"run", "demo", "check", "version", "Exit codes"})
    CHECK_THAT(ended.out, ContainsSubstring(word));
  for (const char code : {'0', '1', '2', '3', '4'}) {
    INFO(code);
    CHECK(ended.out.find(code, ended.out.find("Exit codes")) != std::string::npos);
  }
}

TEST_CASE("--help of a subcommand names its options", "[unit]") {
  const Ended ended = run_program({"run", "--help"});
  CHECK(ended.code == 0);
  for (const char* const option : {"--interface", "--interval", "--output", "--node-id", "--max-flows",
                                   "--bpffs", "--attach", "--duration", "--no-exclude", "--no-accounting"})
    CHECK_THAT(ended.out, ContainsSubstring(option));
}

// ---- check --json

struct Finding {
  std::string what;
  std::string state;
  std::string text;
  std::string remedy;
};

std::string string_of(const simdjson::dom::element& object, const char* key) {
  std::string_view value;
  INFO(key);
  REQUIRE(object[key].get(value) == simdjson::SUCCESS);
  return std::string(value);
}

/// One line that is a JSON array of objects with exactly these four strings.
std::vector<Finding> read_findings(const std::string& out) {
  INFO(out);
  REQUIRE(out.ends_with('\n'));
  simdjson::dom::parser parser;
  simdjson::dom::array rows;
  REQUIRE(parser.parse(out).get(rows) == simdjson::SUCCESS);
  std::vector<Finding> findings;
  for (const simdjson::dom::element row : rows) {
    simdjson::dom::object object;
    REQUIRE(row.get(object) == simdjson::SUCCESS);
    CHECK(object.size() == 4);
    findings.push_back({.what = string_of(row, "what"),
                        .state = string_of(row, "state"),
                        .text = string_of(row, "text"),
                        .remedy = string_of(row, "remedy")});
  }
  return findings;
}

const Finding& finding(const std::vector<Finding>& findings, std::string_view what) {
  const auto found =
      std::ranges::find_if(findings, [&](const Finding& candidate) { return candidate.what == what; });
  INFO(what);
  REQUIRE(found != findings.end());
  return *found;
}

TEST_CASE("check --json prints what was found, and ends with 3 where something is missing", "[unit]") {
  const Ended ended = run_program({"check", "--json", "--interface", "flowtally-none"});
  const auto findings = read_findings(ended.out);
  bool missing = false;
  std::set<std::string> subjects;
  for (const Finding& row : findings) {
    CAPTURE(row.what, row.state, row.text, row.remedy);
    CHECK((row.state == "found" || row.state == "missing" || row.state == "without"));
    CHECK_FALSE(row.text.empty());
    CHECK((row.state != "found" || row.remedy.empty()));
    CHECK(subjects.insert(row.what).second);
    missing = missing || row.state == "missing";
  }
  CHECK(ended.code == (missing ? 3 : 0));
  CHECK(finding(findings, "interface").state == "without");
  CHECK(finding(findings, "kernel").text.starts_with("Linux "));
}

TEST_CASE("check finds that a directory is no BPF file system, and says how to get one", "[unit]") {
  const Ended ended = run_program({"check", "--json", "--bpffs", "/proc"});
  CHECK(ended.code == 3);
  const auto findings = read_findings(ended.out);
  const Finding& row = finding(findings, "BPF file system");
  CHECK(row.state == "missing");
  CHECK_THAT(row.remedy, ContainsSubstring("mount -t bpf -o mode=0700 bpf /proc"));
}

TEST_CASE("what a user gives is escaped in JSON, and read back the same", "[unit]") {
  const std::string directory = "/a\"b\\c\nd\x01/\u00e4";
  const Ended ended = run_program({"check", "--json", "--interface", "q\"\\", "--bpffs", directory});
  CHECK(ended.code == 3);
  const auto findings = read_findings(ended.out);
  CHECK_THAT(finding(findings, "BPF file system").text, ContainsSubstring(directory));
  CHECK_THAT(finding(findings, "interface").text, ContainsSubstring("q\"\\"));
}

TEST_CASE("bytes that are no UTF-8 do not spoil the JSON", "[unit]") {
  const Ended ended = run_program({"check", "--json", "--bpffs", "/\xff\xc3"});
  CHECK(ended.code == 3);
  CHECK_THAT(finding(read_findings(ended.out), "BPF file system").text, ContainsSubstring("/\ufffd"));
}

TEST_CASE("check for people says in its last line whether flowtally can run, without colours in a pipe",
          "[unit]") {
  const Ended ended = run_program({"check", "--bpffs", "/proc"});
  CHECK(ended.code == 3);
  CHECK_THAT(ended.out,
             Catch::Matchers::EndsWith("flowtally cannot run here until what is missing is there.\n"));
  CHECK(ended.out.find('\x1b') == std::string::npos);
}

}  // namespace
}  // namespace flowtally::app
