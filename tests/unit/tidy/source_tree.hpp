// This file reads the source tree for tests that are about its text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flowtally::tidy {

/// A file by its path from the root of the source tree, with slashes.
struct SourceFile {
  std::string path;
  std::string text;
};

/// The whole text; empty where there is no such file.
[[nodiscard]] std::string text_of(const std::string& path);
[[nodiscard]] bool exists(const std::string& path);

/// All files below `folder` whose names end with one of `endings`, in the order of their paths.
[[nodiscard]] std::vector<SourceFile> files_below(const std::string& folder,
                                                  const std::vector<std::string_view>& endings);

/// "a/b" of "a/b/c", and "c".
[[nodiscard]] std::string folder_of(const std::string& path);
[[nodiscard]] std::string name_of(const std::string& path);

/// Lines without their ends.
[[nodiscard]] std::vector<std::string_view> lines_of(std::string_view text);

}  // namespace flowtally::tidy
