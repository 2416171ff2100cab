#include "journal/line_scan.hpp"

#include <algorithm>
#include <string>

#include "journal/entry.hpp"

namespace flowtally::journal {

base::Status scan_lines(File& file, std::uint64_t from, std::uint64_t to,
                        const std::function<void(const ScannedLine&)>& take) {
  std::string buffer(kLineBytesMax, '\0');
  std::string begun;  // the beginning of a line that goes over the end of the buffer
  std::uint64_t begun_at = from;
  std::uint64_t begun_bytes = 0;  // may be more than is kept
  const auto give = [&](std::string_view text, std::uint64_t offset, std::uint64_t length) {
    const bool whole = length == text.size() && length <= kLineBytesMax && text.ends_with('\n') &&
                       text.find('\0') == std::string_view::npos;
    take({.offset = offset, .length = length, .text = text, .whole = whole});
  };
  while (from < to) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), to - from));
    if (auto read = read_all(file, from, std::span(buffer).first(want)); !read) return read;
    std::string_view rest(buffer.data(), want);
    while (!rest.empty()) {
      const std::size_t line_end = rest.find('\n');
      const std::string_view piece =
          rest.substr(0, line_end == std::string_view::npos ? rest.size() : line_end + 1);
      rest.remove_prefix(piece.size());
      if (begun_bytes + piece.size() <= kLineBytesMax) begun += piece;
      begun_bytes += piece.size();
      if (line_end == std::string_view::npos) break;
      give(begun, begun_at, begun_bytes);
      begun_at += begun_bytes;
      begun_bytes = 0;
      begun.clear();
    }
    from += want;
  }
  if (begun_bytes > 0) give(begun, begun_at, begun_bytes);
  return {};
}

}  // namespace flowtally::journal
