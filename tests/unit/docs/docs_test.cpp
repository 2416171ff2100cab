// Goal: the documents stay true where a program can tell: files, constants and options that they name exist.
//
// Method: every `name` between backticks and every link target that looks like a path of this tree is looked
// up; the table of limits is held against the headers, the README against the command line. The reading of
// the text is first shown to find what is wrong.
#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "unit/tidy/source_tree.hpp"

namespace flowtally::tidy {
namespace {

constexpr const char* kArchitecture = "docs/architecture.md";

std::vector<SourceFile> documents() {
  auto files = files_below("docs", {".md"});
  REQUIRE(!files.empty());
  files.push_back({.path = "README.md", .text = text_of("README.md")});
  return files;
}

/// What stands between two `mark`s, in order.
std::vector<std::string> between(std::string_view text, std::string_view begin, std::string_view end) {
  std::vector<std::string> spans;
  for (std::size_t at = text.find(begin); at != std::string_view::npos;) {
    const std::size_t first = at + begin.size();
    const std::size_t last = text.find(end, first);
    if (last == std::string_view::npos) break;
    spans.emplace_back(text.substr(first, last - first));
    at = text.find(begin, last + end.size());
  }
  return spans;
}

/// Line by line, because a backtick has its other half on the same line; fenced blocks are passed over.
std::vector<std::string> quoted_names(std::string_view text) {
  std::vector<std::string> names;
  bool fenced = false;
  for (const std::string_view line : lines_of(text)) {
    if (line.starts_with("```")) fenced = !fenced;
    if (fenced || line.starts_with("```")) continue;
    std::ranges::move(between(line, "`", "`"), std::back_inserter(names));
  }
  return names;
}

/// True for what claims to be a file or folder of this tree: "agent/base/", "docs/adr", "capturer.hpp".
bool looks_like_path(std::string_view name) {
  static const std::set<std::string_view> kFolders = {"agent", "bpf",     "docs",   "include", "scripts",
                                                      "tests", "capture", "record", "flow",    "model",
                                                      "base",  "demo",    "app",    ".ci"};
  const bool plain = std::ranges::all_of(name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_./-").find(c) != std::string_view::npos;
  });
  if (!plain || name.empty()) return false;
  if (const std::size_t slash = name.find('/'); slash != std::string_view::npos)
    return kFolders.contains(name.substr(0, slash));
  constexpr std::string_view kEndings[] = {".hpp", ".cpp", ".h", ".c", ".md"};
  return std::ranges::any_of(
      kEndings, [&](auto ending) { return name.ends_with(ending) && name.size() > ending.size(); });
}

/// All names of files of the tree, without their folders.
const std::set<std::string>& file_names() {
  static const std::set<std::string> kNames = [] {
    std::set<std::string> names = {"README.md"};
    for (const char* const folder : {"agent", "bpf", "docs", "include", "tests"})
      for (const SourceFile& file : files_below(folder, {""})) names.insert(name_of(file.path));
    return names;
  }();
  return kNames;
}

/// A path from the root, from agent/, or a bare name that some file has.
bool is_there(const std::string& name) {
  if (name.find('/') == std::string::npos) return file_names().contains(name);
  return exists(name) || exists("agent/" + name);
}

std::vector<std::string> missing_paths(std::string_view text) {
  std::vector<std::string> missing;
  for (const std::string& name : quoted_names(text)) {
    if (looks_like_path(name) && !is_there(name)) missing.push_back(name);
  }
  return missing;
}

/// Link targets relative to the document's folder that lead nowhere.
std::vector<std::string> broken_links(const SourceFile& document) {
  std::vector<std::string> broken;
  for (std::string target : between(document.text, "](", ")")) {
    target.resize(std::min(target.find('#'), target.size()));
    if (target.empty() || target.find(':') != std::string::npos) continue;
    std::string path = folder_of(document.path);
    if (!path.empty()) path += '/';
    path += target;
    if (!exists(path)) broken.push_back(target);
  }
  return broken;
}

/// The constants of a table of limits that the files in the last cell of their row do not name.
std::vector<std::string> untrue_limits(std::string_view text) {
  std::vector<std::string> untrue;
  for (const std::string_view line : lines_of(text)) {
    if (!line.starts_with("| `k") && !line.starts_with("| `FT_")) continue;
    const std::size_t first_end = line.find('|', 1);
    const std::size_t last_begin = line.rfind('|', line.size() - 2);
    std::string code;
    for (const std::string& path : between(line.substr(last_begin), "`", "`")) code += text_of(path);
    for (const std::string& name : between(line.substr(0, first_end), "`", "`")) {
      if (code.find(name) == std::string::npos) untrue.push_back(name);
    }
  }
  return untrue;
}

/// "--interval" and the like, as they stand between quotation marks.
std::vector<std::string> options_of(std::string_view source) {
  std::vector<std::string> options;
  for (const std::string& text : between(source, "\"--", "\"")) options.push_back("--" + text);
  return options;
}

void check_none(const std::string& where, const std::vector<std::string>& faults) {
  for (const std::string& fault : faults) {
    INFO(where << ": " << fault);
    CHECK(fault.empty());  // it never is: this shows it
  }
}

}  // namespace

TEST_CASE("a path that leads nowhere, a broken link and a limit that is none are found", "[unit]") {
  CHECK(missing_paths("see `agent/nowhere.cpp`, `nowhere.hpp` and `agent/base/`") ==
        std::vector<std::string>{"agent/nowhere.cpp", "nowhere.hpp"});
  CHECK(missing_paths("```\n`agent/nowhere.cpp`\n```\n`build/x` `a / b` `src/dst` `.c`").empty());
  CHECK(
      broken_links({.path = "docs/a.md", .text = "[a](nowhere.md) [b](architecture.md#x) [c](https://x)"}) ==
      std::vector<std::string>{"nowhere.md"});
  CHECK(untrue_limits("| `kNowhere` | 1 | `agent/capture/sizing.hpp` |").size() == 1);
  CHECK(untrue_limits("| `kFlowsMin`, `kCoarseEntries` | 1 | `agent/capture/sizing.hpp` |").empty());
}

TEST_CASE("documents name only files that exist", "[unit]") {
  for (const SourceFile& document : documents()) {
    check_none(document.path, missing_paths(document.text));
    check_none(document.path, broken_links(document));
  }
}

TEST_CASE("the map of the architecture has every folder, every BPF file and every decision", "[unit]") {
  const std::string text = text_of(kArchitecture);
  std::set<std::string> wanted;
  for (const SourceFile& file : files_below("agent", {".hpp"})) wanted.insert(folder_of(file.path) + "/");
  for (const SourceFile& file : files_below("bpf", {".c", ".h"})) wanted.insert(file.path);
  for (const SourceFile& file : files_below("include", {".h"})) wanted.insert(file.path);
  for (const SourceFile& file : files_below("docs/adr", {".md"})) wanted.insert(name_of(file.path));
  for (const std::string& name : wanted) {
    INFO(name);
    CHECK(text.find(name) != std::string::npos);
  }
}

TEST_CASE("every constant in the table of limits stands in the file that the table names", "[unit]") {
  const std::string text = text_of(kArchitecture);
  CHECK(std::ranges::count_if(lines_of(text), [](auto line) { return line.starts_with("| `k"); }) > 20);
  check_none(kArchitecture, untrue_limits(text));
}

TEST_CASE("the README explains every option and every command", "[unit]") {
  const std::string readme = text_of("README.md");
  auto names = options_of(text_of("agent/app/command_line.cpp"));
  CHECK(names.size() > 8);
  for (const char* const command :
       {"flowtally run", "flowtally demo", "flowtally check", "flowtally version"})
    names.emplace_back(command);
  for (const std::string& name : names) {
    INFO(name);
    CHECK(readme.find(name) != std::string::npos);
  }
}

}  // namespace flowtally::tidy
