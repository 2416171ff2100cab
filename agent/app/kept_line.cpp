#include "app/kept_line.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <unistd.h>

namespace flowtally::app {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

}  // namespace

std::string first_line_of(const std::string& path) {
  const File file(std::fopen(path.c_str(), "re"), std::fclose);
  std::array<char, 256> line{};
  if (!file || std::fgets(line.data(), static_cast<int>(line.size()), file.get()) == nullptr) return {};
  const std::string text(line.data());
  return text.substr(0, text.find('\n'));
}

base::Status replace_line(const std::string& path, const std::string& line) {
  const std::string aside = path + ".aside";
  const bool written = [&] {
    const File file(std::fopen(aside.c_str(), "we"), std::fclose);
    return file && std::fputs((line + '\n').c_str(), file.get()) >= 0 && std::fflush(file.get()) == 0 &&
           ::fsync(::fileno(file.get())) == 0;
  }();
  if (written && std::rename(aside.c_str(), path.c_str()) == 0) return {};
  return base::fail(base::Error::from_errno(errno, fmt::format("write {}", path)));
}

}  // namespace flowtally::app
