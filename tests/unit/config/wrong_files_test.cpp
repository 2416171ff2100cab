// Goal: whatever is wrong with a configuration, all of it is said, in the order of the file, each with its
// place, what is allowed, and what was probably meant; nothing that may be a secret is shown.
//
// Method: a table of wrong files and the lines that are said of them, in wrong_files.txt beside this.
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "support/catch.hpp"
#include "test_paths.h"
#include "unit/config/machine.hpp"

namespace flowtally::config {
namespace {

struct Case {
  std::string fact;
  std::string text;
  std::string wanted;
};

std::vector<Case> cases() {
  std::ifstream file(FLOWTALLY_SOURCE_DIR "/tests/unit/config/wrong_files.txt");
  REQUIRE(file);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  constexpr std::string_view kBegin = "\n=== ";
  constexpr std::string_view kMiddle = "---->\n";
  std::vector<Case> cases;
  for (std::size_t at = all.find(kBegin); at != std::string::npos;) {
    const std::size_t next = all.find(kBegin, at + 1);
    const std::string whole = all.substr(at + kBegin.size(), next - at - kBegin.size());
    const std::size_t line = whole.find('\n') + 1;
    const std::size_t middle = whole.find(kMiddle);
    REQUIRE(middle != std::string::npos);
    std::string wanted = whole.substr(middle + kMiddle.size());
    if (!wanted.ends_with('\n')) wanted += '\n';
    cases.push_back({.fact = whole.substr(0, line - 1),
                     .text = whole.substr(line, middle - line),
                     .wanted = std::move(wanted)});
    at = next;
  }
  return cases;
}

std::string said(const std::string& text) {
  const auto loaded = read_text(text);
  if (loaded) return "nothing is wrong\n";
  std::string lines;
  for (const std::string& line : loaded.error().lines) lines += line + '\n';
  return lines;
}

}  // namespace

TEST_CASE("each wrong file is refused in the words of the table", "[unit]") {
  const std::vector<Case> table = cases();
  CHECK(table.size() >= 50);
  for (const Case& each : table) {
    INFO(each.fact << "\n" << each.text);
    const std::string lines = said(each.text);
    CHECK(lines == each.wanted);
    CHECK(lines.find("shown-to-all") == std::string::npos);
    CHECK(lines.find(kToken) == std::string::npos);
    CHECK(lines.find(kFileToken) == std::string::npos);
  }
}

TEST_CASE("more faults than the limit are counted", "[unit]") {
  std::string text = "capture:\n";
  for (int each = 0; each < 60; ++each) text += fmt::format("  wrong{}: 1\n", each);
  const auto loaded = read_text(text);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().lines.size() == kFaultsMax + 1);
  CHECK(loaded.error().lines.back() == "and 10 more that are not shown");
}

TEST_CASE("the error of a refusal has all its lines", "[unit]") {
  const Refusal refusal{.lines = {"f:1:1: a", "f:2:1: b"}};
  CHECK(refusal.error().text() == "f:1:1: a\nf:2:1: b");
  CHECK(refusal.error().code() == base::ErrorCode::kInvalidArgument);
}

TEST_CASE("what is too large is refused before it is read", "[unit]") {
  const auto refused = [](std::vector<SourceFile> files) {
    const auto loaded = read_settings(files, test_rules());
    REQUIRE_FALSE(loaded);
    return loaded.error().lines.at(0);
  };
  CHECK(refused({{.name = "f", .text = std::string(kFileBytesMax + 1, '#')}}) ==
        "f: the file is longer than 262144 bytes");
  std::vector<SourceFile> many;
  for (std::size_t each = 0; each <= kFilesMax; ++each) many.push_back({.name = fmt::format("f{}", each)});
  CHECK(refused(many) == "f64: there are more than 64 files");
  CHECK_FALSE(read_text("a: " + std::string(200, '[') + std::string(200, ']')));
  std::string keys;
  for (std::size_t each = 0; each < 200; ++each) {
    keys += fmt::format("k{}:\n", each);
    for (int inner = 0; inner < 60; ++inner) keys += fmt::format("  a{}: 1\n", inner);
  }
  // More keys in a map than YAML's own limit; more in all than ours.
  CHECK(refused({{.name = "f", .text = keys}}) == "f:3905:1: there are more than 64 keys");
  std::vector<SourceFile> files;
  for (std::size_t each = 0; each < 3; ++each) {
    std::string text;
    for (int part = 0; part < 60; ++part) {
      text += fmt::format("k{}x{}:\n", each, part);
      for (int inner = 0; inner < 60; ++inner) text += fmt::format("  a{}: 1\n", inner);
    }
    files.push_back({.name = fmt::format("f{}", each), .text = text});
  }
  const auto loaded = read_settings(files, test_rules());
  REQUIRE_FALSE(loaded);
  CHECK(fmt::format("{}", fmt::join(loaded.error().lines, "\n")).find("there are more than 10000 values") !=
        std::string::npos);
}

TEST_CASE("more sinks than the limit are refused", "[unit]") {
  std::vector<SourceFile> files;
  for (int file = 0; file < 2; ++file) {
    std::string text = "sinks:\n";
    for (int sink = 0; sink < 40; ++sink)
      text += fmt::format("  s{}x{}: {{type: file, path: /tmp/{}/{}}}\n", file, sink, file, sink);
    files.push_back({.name = fmt::format("f{}", file), .text = text});
  }
  const auto loaded = read_settings(files, test_rules());
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().lines == std::vector<std::string>{"f0:2:3: sinks: there are more than 64 sinks"});
}

}  // namespace flowtally::config
