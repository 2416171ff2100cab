// This file holds the rules of the house that a program can check, each as a function from one file's text to
// what is wrong with it. Pure, so that each rule is shown able to fail.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "unit/tidy/source_tree.hpp"

namespace flowtally::tidy {

/// One sentence per fault, "path:line: …".
using Faults = std::vector<std::string>;

/// Lines of C and C++ are at most this long, in characters.
inline constexpr std::size_t kLineCharactersMax = 110;
/// A source of agent/ or bpf/ has at most so many lines; past that it is split by idea.
inline constexpr std::size_t kFileLinesMax = 400;

/// A file of agent/, bpf/ or include/ includes only what its folder may (the dependency table of
/// docs/architecture.md).
[[nodiscard]] Faults layering_faults(const SourceFile& file);

[[nodiscard]] Faults line_length_faults(const SourceFile& file);
[[nodiscard]] Faults file_length_faults(const SourceFile& file);

/// Words that are not used here; each fault names what to use instead.
[[nodiscard]] Faults banned_word_faults(const SourceFile& file);

/// `cmake` is the text of the CMakeLists.txt beside the file: a source that stands in none is dead.
[[nodiscard]] Faults dead_source_faults(const std::string& path, std::string_view cmake);

}  // namespace flowtally::tidy
