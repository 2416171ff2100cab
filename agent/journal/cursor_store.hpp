// This file keeps how far each reader has got: a name and the number of the record that comes next.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "journal/entry.hpp"
#include "journal/file_system.hpp"

namespace flowtally::journal {

inline constexpr std::size_t kCursorNameBytesMax = 64;
inline constexpr std::size_t kCursorsMax = 4096;

/// The cursors of one journal, each a file. Different cursors may be used at once, by threads and processes;
/// one cursor belongs to one reader.
class CursorStore {
 public:
  /// `directory` is the journal's.
  CursorStore(FileSystem& files, const std::string& directory);

  /// Letters, digits, '-' and '_', 1 to 64 of them; the first is a letter or digit.
  [[nodiscard]] static bool valid_name(std::string_view name) noexcept;

  /// Nothing: no such cursor. kCorrupt: the file cannot be used; it is kept as NAME.damaged, and the next
  /// load finds none.
  [[nodiscard]] base::Result<std::optional<Sequence>> load(std::string_view name);
  /// After a crash the old or the new number is there.
  [[nodiscard]] base::Status save(std::string_view name, Sequence next);
  [[nodiscard]] base::Status remove(std::string_view name);
  /// Names, sorted.
  [[nodiscard]] base::Result<std::vector<std::string>> names();

 private:
  [[nodiscard]] base::Status check_name(std::string_view name) const;

  FileSystem& files_;
  std::string directory_;
};

}  // namespace flowtally::journal
