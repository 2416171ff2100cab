#include "unit/tidy/source_tree.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "test_paths.h"

namespace flowtally::tidy {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = FLOWTALLY_SOURCE_DIR;

}  // namespace

std::string text_of(const std::string& path) {
  const fs::path whole = kRoot / path;
  std::error_code error;
  const auto size = fs::file_size(whole, error);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(whole.c_str(), "re"), std::fclose);
  if (error || !file) return {};
  std::string text(size, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  return text;
}

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(kRoot / path, error);
}

std::vector<SourceFile> files_below(const std::string& folder, const std::vector<std::string_view>& endings) {
  std::vector<SourceFile> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(kRoot / folder, error), end; !error && at != end;
       at.increment(error)) {
    std::string path = at->path().lexically_relative(kRoot).generic_string();
    const bool wanted = std::ranges::any_of(endings, [&](auto ending) { return path.ends_with(ending); });
    if (!wanted || !at->is_regular_file()) continue;
    std::string text = text_of(path);
    files.push_back({.path = std::move(path), .text = std::move(text)});
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace flowtally::tidy
