// Goal: the manual page and the completions of all three shells have every command and every option that the
// program has, and no other. Method: the built program is asked for its help; the pages are read by their own
// marks, and the completion of bash is really asked.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "test_paths.h"
#include "unit/tidy/source_tree.hpp"

namespace flowtally::test {
namespace {

using Names = std::set<std::string>;

constexpr const char* kManual = "docs/man/flowtally.1";
constexpr const char* kBash = "scripts/completion/flowtally.bash";
constexpr const char* kZsh = "scripts/completion/_flowtally";
constexpr const char* kFish = "scripts/completion/flowtally.fish";

std::string help_of(std::vector<std::string> arguments) {
  arguments.emplace_back("--help");
  Program program(arguments);
  REQUIRE(program.wait() == 0);
  return program.out();
}

/// The word that begins at `at`, of letters, digits and dashes.
std::string word_at(std::string_view text, std::size_t at) {
  std::string word;
  while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '-')) {
    word += text[at++];
  }
  return word;
}

/// The names of commands, from the list at the end of the help.
Names commands() {
  Names names;
  bool listed = false;
  const std::string help = help_of({});
  for (const std::string_view line : tidy::lines_of(help)) {
    if (line.empty()) listed = false;
    if (listed && line.starts_with("  ") && line[2] != ' ') names.insert(word_at(line, 2));
    if (line == "Subcommands:") listed = true;
  }
  return names;
}

/// "--since" …, with --help.
Names options_of(const std::string& command) {
  Names names;
  const std::string help = help_of({command});
  for (const std::string_view line : tidy::lines_of(help)) {
    if (line.starts_with("  -h,--help")) names.insert("--help");
    if (line.starts_with("  --")) names.insert(word_at(line, 2));
  }
  return names;
}

/// What stands between the line `begin` and the next line that starts with `end`.
std::string section(const std::string& path, const std::string& begin, std::string_view end) {
  std::string text;
  bool inside = false;
  const std::string file = tidy::text_of(path);
  for (const std::string_view line : tidy::lines_of(file)) {
    if (inside && line.starts_with(end)) break;
    if (inside) text += std::string(line) + "\n";
    if (line == begin) inside = true;
  }
  return text;
}

/// Words of `text` behind each `mark`, with `prefix` in front.
Names words_behind(const std::string& text, const std::string& mark, const std::string& prefix) {
  Names names;
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1))
    names.insert(prefix + word_at(text, at + mark.size()));
  return names;
}

/// What bash proposes behind these words.
Names bash_proposes(const std::string& words) {
  const std::string command = "bash -c 'source \"" FLOWTALLY_SOURCE_DIR "/" + std::string(kBash) +
                              "\"; COMP_WORDS=(flowtally " + words +
                              "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _flowtally; printf \"%s\\n\" "
                              "\"${COMPREPLY[@]}\"'";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  REQUIRE(pipe != nullptr);
  std::string text;
  for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) text += static_cast<char>(c);
  Names names;
  for (const std::string_view line : tidy::lines_of(text)) {
    if (!line.empty()) names.insert(std::string(line));
  }
  return names;
}

}  // namespace

TEST_CASE("the help is read", "[unit]") {
  CHECK(commands().contains("query"));
  CHECK(options_of("query").contains("--group-by"));
  CHECK(options_of("run").size() > 20);
}

TEST_CASE("the manual page has every command and every option, and no other", "[unit]") {
  const std::string page = tidy::text_of(kManual);
  const std::string description = section(kManual, ".Sh DESCRIPTION", ".Sh ");
  CHECK(words_behind(description, "\n.Ss ", "") == commands());
  for (const std::string& command : commands()) {
    INFO(command);
    Names options = words_behind(section(kManual, ".Ss " + command, ".S"), ".It Fl \\-", "--");
    options.insert("--help");  // said once, of all
    CHECK(options == options_of(command));
  }
  CHECK(page.find("--help") == std::string::npos);  // mdoc writes the dashes
}

TEST_CASE("the manual page has every exit code", "[unit]") {
  const std::string codes = section(kManual, ".Sh EXIT STATUS", ".Sh ");
  const std::string help = help_of({});
  for (const std::string code : {"0", "1", "2", "3", "4", "5", "130"}) {
    INFO(code);
    CHECK(codes.find("\n.It " + code + "\n") != std::string::npos);
    CHECK(help.find(" " + code + " ") != std::string::npos);
    CHECK(tidy::text_of("README.md").find("| " + code + " |") != std::string::npos);
  }
}

TEST_CASE("bash completes every command and every option, and no other", "[unit]") {
  Names wanted = commands();
  wanted.insert({"--help", "--version"});
  CHECK(bash_proposes("\"\"") == wanted);
  for (const std::string& command : commands()) {
    INFO(command);
    CHECK(bash_proposes(command + " -") == options_of(command));
  }
  CHECK(bash_proposes("query --output \"\"") == Names{"csv", "json", "ndjson", "table"});
  CHECK(bash_proposes("query pee") == Names{"peer"});
}

TEST_CASE("zsh completes every command and every option, and no other", "[unit]") {
  const std::string list = section(kZsh, "      commands=(", "      )");
  CHECK(words_behind(list, "        '", "") == commands());
  for (const std::string& command : commands()) {
    INFO(command);
    const std::string part = section(kZsh, "        " + command + ")", "          ;;");
    Names options = words_behind(part, "--", "--");
    std::erase_if(options,
                  [&](const std::string& name) { return part.find(name + "[") == std::string::npos; });
    CHECK(options == options_of(command));
  }
}

TEST_CASE("fish completes every command and every option, and no other", "[unit]") {
  const std::string text = tidy::text_of(kFish);
  CHECK(words_behind(text, "__fish_use_subcommand -a ", "") == commands());
  for (const std::string& command : commands()) {
    INFO(command);
    Names options = words_behind(text, "__fish_seen_subcommand_from " + command + "' -l ", "--");
    options.insert("--help");  // once, for all
    CHECK(options == options_of(command));
  }
}

}  // namespace flowtally::test
