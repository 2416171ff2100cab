#include "unit/tidy/rules.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include <fmt/format.h>

namespace flowtally::tidy {
namespace {

std::string at(const SourceFile& file, std::size_t line, std::string_view what) {
  return fmt::format("{}:{}: {}", file.path, line, what);
}

bool is_one_of(std::string_view word, std::string_view words) {
  while (!words.empty()) {
    const std::size_t space = words.find(' ');
    if (words.substr(0, space) == word) return true;
    if (space == std::string_view::npos) break;
    words.remove_prefix(space + 1);
  }
  return false;
}

// ---- layering

/// What a folder may include: folders, and libraries by the first part of their headers' names.
struct Layer {
  std::string_view folder;
  std::string_view may_include;
  std::string_view libraries;
};

/// The dependency table of docs/architecture.md. `flowtally` is include/flowtally.
constexpr Layer kLayers[] = {
    {"agent/base", "base", ""},
    {"agent/model", "base model flowtally", ""},
    {"agent/capture", "base model flowtally capture", "bpf fmt"},
    {"agent/rights", "base rights", "fmt seccomp.h"},
    {"agent/channel", "base model capture channel", "fmt"},
    {"agent/flow", "base model flow", ""},
    {"agent/record", "base model record", "fmt simdjson.h"},
    {"agent/yaml", "base yaml", "fmt yaml-cpp"},
    {"agent/config", "base model yaml config", "fmt"},
    {"agent/identity", "base model yaml identity", "fmt simdjson.h curl"},
    {"agent/journal", "base journal", "fmt zstd.h xxhash.h"},
    {"agent/query", "base model record journal query", "fmt"},
    {"agent/sink", "base model journal record query sink",
     "fmt simdjson.h curl openssl librdkafka zlib.h zstd.h xxhash.h"},
    {"agent/api", "base model flowtally journal record query api",
     "fmt microhttpd.h prometheus simdjson.h zlib.h"},
    {"agent/cli", "base model record query config cli", "fmt simdjson.h curl"},
    {"agent/demo", "base model demo", "fmt"},
    {"agent/app",
     "base model rights capture channel flow record identity journal query sink api config cli demo app",
     "fmt spdlog CLI openssl"},
    {"agent", "app", ""},  // main.cpp
    {"bpf", "flowtally", "bpf"},
    {"include/flowtally", "flowtally", ""},
};
/// Libraries that only some may use; what is not named here (the C and C++ libraries, Linux) all may.
constexpr std::string_view kLibraries =
    "bpf fmt simdjson.h spdlog CLI systemd curl yaml-cpp zstd.h xxhash.h microhttpd.h prometheus zlib.h "
    "openssl "
    "librdkafka seccomp.h";
/// Folders that touch no file, socket, clock or device: system headers that would let them.
constexpr std::string_view kPureFolders = "agent/model agent/flow agent/record";
constexpr std::string_view kImpure =
    "sys linux net netinet arpa unistd.h fcntl.h poll.h thread cstdio fstream iostream ctime";

struct Include {
  std::string name;
  bool quoted;
};

std::optional<Include> include_of(std::string_view line) {
  constexpr std::string_view kWord = "#include";
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  if (!line.starts_with(kWord)) return std::nullopt;
  const std::size_t begin = line.find_first_of("\"<", kWord.size());
  if (begin == std::string_view::npos) return std::nullopt;
  const bool quoted = line[begin] == '"';
  const std::size_t end = line.find(quoted ? '"' : '>', begin + 1);
  if (end == std::string_view::npos) return std::nullopt;
  return Include{.name = std::string(line.substr(begin + 1, end - begin - 1)), .quoted = quoted};
}

/// What is wrong with this include in a file of `layer`; empty if nothing is.
std::string include_fault(const Layer& layer, const Include& include) {
  const std::string first = include.name.substr(0, include.name.find('/'));
  if (include.name.ends_with(".skel.h")) {
    return layer.folder == "agent/capture" ? "" : "only agent/capture sees a BPF skeleton";
  }
  if (!include.quoted) {
    if (is_one_of(first, kLibraries) && !is_one_of(first, layer.libraries))
      return fmt::format("{} does not use <{}>", layer.folder, include.name);
    if (is_one_of(layer.folder, kPureFolders) && is_one_of(first, kImpure))
      return fmt::format("{} is pure: no <{}>", layer.folder, include.name);
    return {};
  }
  if (first == include.name) {  // a neighbour
    if (layer.folder == "bpf" || layer.folder == "include/flowtally") return {};
    return fmt::format("\"{}\" is included as \"folder/file.hpp\"", include.name);
  }
  if (is_one_of(first, layer.may_include)) return {};
  return fmt::format("{} does not include {}", layer.folder, include.name);
}

// ---- words

struct BannedWord {
  std::string_view word;
  std::string_view instead;
  std::string_view where{};  ///< first folder; empty: everywhere
};

constexpr BannedWord kBannedWords[] = {
    {"strcpy", "std::string, or memcpy of a known length"},
    {"strcat", "std::string"},
    {"sprintf", "fmt::format"},
    {"vsprintf", "fmt::format"},
    {"gets", "std::fread", "agent/"},
    {"atoi", "std::from_chars"},
    {"atol", "std::from_chars"},
    {"sscanf", "std::from_chars", "agent/"},
    {"strtok", "std::string_view::find"},
    {"iostream", "fmt::print, spdlog"},
    {"sstream", "fmt::format, std::string"},
    {"fstream", "base::UniqueFd, std::fread", "agent/"},
    {"std::cout", "fmt::print"},
    {"std::cerr", "spdlog, or std::fputs before there is a logger"},
    {"std::endl", "'\\n'"},
    {"using namespace std", "the names that are meant"},
    {"TODO", "do it, or write an issue"},
    {"FIXME", "fix it, or write an issue"},
    {"XXX", "a sentence that says why"},
    {"goto", "a function that returns"},
    {"setjmp", "base::Result"},
    {"sleep", "wait for the event with a deadline"},
    {"usleep", "wait for the event with a deadline"},
    {"nanosleep", "wait for the event with a deadline"},
    {"sleep_for", "wait for the event with a deadline"},
    {"sleep_until", "wait for the event with a deadline"},
};

/// Where a word may stand all the same, and why.
struct Exception {
  std::string_view path;
  std::string_view word;
  std::string_view reason;
};

constexpr Exception kExceptions[] = {
    {"tests/unit/tidy/rules.cpp", "*", "lists the words"},
    {"tests/unit/tidy/tidy_test.cpp", "*", "shows that the rules can fail"},
    {"agent/rights/call_lists.hpp", "nanosleep", "names system calls that libraries make"},
    {"agent/demo/forwarder.cpp", "sleep_for", "asks the device for what waits in its queue: no event tells"},
    {"agent/demo/tun_device.cpp", "sleep_for",
     "asks the kernel whether an address is usable, with a deadline"},
};

bool excepted(const SourceFile& file, std::string_view word) {
  return std::ranges::any_of(kExceptions, [&](const Exception& exception) {
    return exception.path == file.path && (exception.word == word || exception.word == "*");
  });
}

bool is_word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// `word` stands in `line` as a word of its own. In comments only words in capitals count: prose may speak of
/// sleep.
bool has_word(std::string_view line, std::string_view word) {
  const bool shouted = std::ranges::all_of(word, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!shouted) line = line.substr(0, line.find("//"));
  for (std::size_t found = line.find(word); found != std::string_view::npos;
       found = line.find(word, found + 1)) {
    const std::size_t end = found + word.size();
    const bool begins = found == 0 || !is_word_character(line[found - 1]);
    const bool ends = end == line.size() || !is_word_character(line[end]);
    if (begins && ends) return true;
  }
  return false;
}

bool is_block_comment(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  return line.starts_with("/*") || line.starts_with("* ") || line == "*" || line == "*/";
}

}  // namespace

Faults layering_faults(const SourceFile& file) {
  Faults faults;
  const std::string folder = folder_of(file.path);
  const auto* const layer =
      std::ranges::find_if(kLayers, [&](const Layer& known) { return known.folder == folder; });
  if (layer == std::end(kLayers)) {
    faults.push_back(at(file, 1, fmt::format("{} is not in the dependency table", folder)));
    return faults;
  }
  std::size_t number = 0;
  for (const std::string_view line : lines_of(file.text)) {
    ++number;
    const auto include = include_of(line);
    if (!include) continue;
    if (const std::string fault = include_fault(*layer, *include); !fault.empty())
      faults.push_back(at(file, number, fault));
  }
  return faults;
}

Faults line_length_faults(const SourceFile& file) {
  Faults faults;
  std::size_t number = 0;
  for (const std::string_view line : lines_of(file.text)) {
    ++number;
    const auto characters = static_cast<std::size_t>(
        std::ranges::count_if(line, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
    if (characters > kLineCharactersMax)
      faults.push_back(at(file, number, fmt::format("{} characters: run clang-format", characters)));
  }
  return faults;
}

Faults file_length_faults(const SourceFile& file) {
  const std::size_t lines = lines_of(file.text).size();
  if (lines <= kFileLinesMax) return {};
  return {at(file, lines, fmt::format("more than {} lines: split it by idea", kFileLinesMax))};
}

Faults banned_word_faults(const SourceFile& file) {
  Faults faults;
  std::size_t number = 0;
  for (const std::string_view line : lines_of(file.text)) {
    ++number;
    const bool comment = is_block_comment(line);
    for (const BannedWord& banned : kBannedWords) {
      const bool shouted = banned.word.front() >= 'A' && banned.word.front() <= 'Z';
      if ((comment && !shouted) || !file.path.starts_with(banned.where)) continue;
      if (!has_word(line, banned.word) || excepted(file, banned.word)) continue;
      faults.push_back(
          at(file, number, fmt::format("\"{}\" is not used here, but {}", banned.word, banned.instead)));
    }
  }
  return faults;
}

Faults dead_source_faults(const std::string& path, std::string_view cmake) {
  const std::string name = name_of(path);
  for (std::size_t found = cmake.find(name); found != std::string_view::npos;
       found = cmake.find(name, found + 1)) {
    const bool begins =
        found == 0 || std::string_view(" (\n\t/\"").find(cmake[found - 1]) != std::string_view::npos;
    if (begins) return {};
  }
  return {fmt::format("{} is in no target of the CMakeLists.txt beside it", path)};
}

}  // namespace flowtally::tidy
