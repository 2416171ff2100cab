// Goal: the rules of the house hold for every file of the tree: who may include whom, lengths, words, no
// source that is in no target.
//
// Method: each rule is a pure function over a file's text (rules.hpp). It is first shown to find a fault in a
// text that has one, then run over the tree.
#include <algorithm>
#include <map>
#include <set>

#include "support/catch.hpp"
#include "unit/tidy/rules.hpp"

namespace flowtally::tidy {
namespace {

const std::vector<std::string_view> kCode = {".hpp", ".cpp", ".h", ".c"};

std::vector<SourceFile> code_below(std::initializer_list<const char*> folders) {
  std::vector<SourceFile> files;
  for (const char* const folder : folders) {
    auto some = files_below(folder, kCode);
    REQUIRE(!some.empty());
    std::ranges::move(some, std::back_inserter(files));
  }
  return files;
}

void check_none(const Faults& faults) {
  for (const std::string& fault : faults) {
    INFO(fault);
    CHECK(fault.empty());  // it never is: this shows it
  }
}

SourceFile file(std::string path, std::string text) {
  return {.path = std::move(path), .text = std::move(text)};
}

/// The headers of agent/, bpf/ and include/ that no file of the tree includes, by path.
std::vector<std::string> unused_headers(const std::vector<SourceFile>& files) {
  std::set<std::string> included;  // by the last part: near enough, and bpf/ includes its neighbours by it
  for (const SourceFile& source : files) {
    for (const std::string_view line : lines_of(source.text)) {
      const std::size_t begin = line.find('"');
      const std::size_t end = line.rfind('"');
      if (line.starts_with("#include") && end > begin)
        included.insert(name_of(std::string(line.substr(begin + 1, end - begin - 1))));
    }
  }
  std::vector<std::string> unused;
  for (const SourceFile& source : files) {
    const bool header = source.path.ends_with(".hpp") || source.path.ends_with(".h");
    if (header && !source.path.starts_with("tests/") && !included.contains(name_of(source.path)))
      unused.push_back(source.path);
  }
  return unused;
}

}  // namespace

TEST_CASE("an include against the direction of the tree is found", "[unit]") {
  CHECK(layering_faults(file("agent/base/a.cpp", "#include \"model/window.hpp\"\n")).size() == 1);
  CHECK(layering_faults(file("agent/flow/a.cpp", "#include \"capture/device.hpp\"\n")).size() == 1);
  CHECK(layering_faults(file("agent/record/a.hpp", "  #include \"flow/window_maker.hpp\"\n")).size() == 1);
  CHECK(layering_faults(file("agent/capture/a.cpp", "#include \"app/agent.hpp\"\n")).size() == 1);
  CHECK(layering_faults(file("agent/app/a.cpp", "#include \"flow.skel.h\"\n")).size() == 1);
  CHECK(layering_faults(file("agent/app/a.cpp", "#include <bpf/bpf.h>\n")).size() == 1);
  CHECK(layering_faults(file("agent/demo/a.cpp", "#include <spdlog/logger.h>\n")).size() == 1);
  CHECK(layering_faults(file("agent/flow/a.cpp", "#include <unistd.h>\n")).size() == 1);
  CHECK(layering_faults(file("agent/app/a.cpp", "#include \"agent.hpp\"\n")).size() == 1);
  CHECK(layering_faults(file("agent/nowhere/a.cpp", "")).size() == 1);
  CHECK(layering_faults(file("bpf/a.bpf.h", "#include \"capture/device.hpp\"\n")).size() == 1);
}

TEST_CASE("an include along the direction of the tree is none", "[unit]") {
  check_none(layering_faults(file("agent/capture/a.cpp",
                                  "#include \"capture/a.hpp\"\n#include <vector>\n#include <bpf/bpf.h>\n"
                                  "#include \"base/result.hpp\"\n#include \"flow.skel.h\"\n"
                                  "#include \"flowtally/abi.h\"\n// #include \"app/agent.hpp\"\n")));
  check_none(
      layering_faults(file("bpf/a.bpf.c", "#include \"parse.bpf.h\"\n#include \"flowtally/abi.h\"\n")));
}

TEST_CASE("files of agent, bpf and include include only what their folder may", "[unit]") {
  for (const SourceFile& source : code_below({"agent", "bpf", "include"}))
    check_none(layering_faults(source));
}

TEST_CASE("a line is too long from the 111th character on, whatever its bytes", "[unit]") {
  CHECK(line_length_faults(file("a.cpp", std::string(111, 'x'))).size() == 1);
  CHECK(line_length_faults(file("a.cpp", "short\n" + std::string(112, 'x') + "\n")).size() == 1);
  check_none(line_length_faults(file("a.cpp", std::string(109, 'x') + "…\n")));
}

TEST_CASE("no line of code is longer than 110 characters", "[unit]") {
  for (const SourceFile& source : code_below({"agent", "bpf", "include", "tests"}))
    check_none(line_length_faults(source));
}

TEST_CASE("no source of agent or bpf is longer than 400 lines", "[unit]") {
  std::string long_text;
  for (std::size_t line = 0; line < kFileLinesMax; ++line) long_text += "x\n";
  check_none(file_length_faults(file("a.cpp", long_text)));
  CHECK(file_length_faults(file("a.cpp", long_text + "x\n")).size() == 1);

  for (const SourceFile& source : code_below({"agent", "bpf", "include"}))
    check_none(file_length_faults(source));
}

TEST_CASE("a banned word is found as a word of its own, in code and, if shouted, in comments", "[unit]") {
  CHECK(banned_word_faults(file("agent/a.cpp", "  strcpy(to, from);\n")).size() == 1);
  CHECK(banned_word_faults(file("agent/a.cpp", "std::cout << 1;\nusing namespace std;\n")).size() == 2);
  CHECK(banned_word_faults(file("tests/a.cpp", "std::this_thread::sleep_for(1s);\n")).size() == 1);
  CHECK(banned_word_faults(file("bpf/a.bpf.h", " * TODO: later\n")).size() == 1);
  CHECK(banned_word_faults(file("agent/a.cpp", "x();  // FIXME\n")).size() == 1);
  check_none(banned_word_faults(file("agent/a.cpp", "// what sprintf would do\nint my_strcpy_count;\n")));
  check_none(banned_word_faults(file("tests/a.cpp", "#include <fstream>\n")));
  CHECK(banned_word_faults(file("agent/a.cpp", "#include <fstream>\n")).size() == 1);
}

TEST_CASE("no banned word is in the code", "[unit]") {
  for (const SourceFile& source : code_below({"agent", "bpf", "include", "tests"}))
    check_none(banned_word_faults(source));
}

TEST_CASE("a source that stands in no target is found", "[unit]") {
  CHECK(dead_source_faults("tests/unit/a_test.cpp", "SRCS b_test.cpp").size() == 1);
  CHECK(dead_source_faults("tests/unit/a_test.cpp", "SRCS another_a_test.cpp").size() == 1);
  CHECK(dead_source_faults("tests/unit/a_test.cpp", "").size() == 1);
  check_none(dead_source_faults("tests/unit/a_test.cpp", "SRCS b_test.cpp a_test.cpp)"));
}

TEST_CASE("every test, every fuzz target and every source of the agent is in a target", "[unit]") {
  std::vector<SourceFile> sources = files_below("agent", {".cpp"});
  std::ranges::move(files_below("tests", {"_test.cpp", "_fuzz.cpp"}), std::back_inserter(sources));
  REQUIRE(!sources.empty());
  std::map<std::string, std::string> cmake;  // by folder
  for (const SourceFile& source : sources) {
    const std::string folder = folder_of(source.path);
    if (!cmake.contains(folder)) cmake[folder] = text_of(folder + "/CMakeLists.txt");
    check_none(dead_source_faults(source.path, cmake[folder]));
  }
}

TEST_CASE("every header of agent, bpf and include is included by somebody", "[unit]") {
  CHECK(unused_headers({file("agent/base/a.hpp", ""), file("agent/base/a.cpp", "int x;\n")}).size() == 1);
  CHECK(unused_headers({file("agent/base/a.hpp", ""), file("tests/b.cpp", "#include \"base/a.hpp\"\n")})
            .empty());

  check_none(unused_headers(code_below({"agent", "bpf", "include", "tests"})));
}

}  // namespace flowtally::tidy
