#include "journal/cursor_store.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "journal/names.hpp"
#include "journal/number_file.hpp"

namespace flowtally::journal {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::string_view kWord = "cursor";

bool letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

CursorStore::CursorStore(FileSystem& files, const std::string& directory)
    : files_(files), directory_(fmt::format("{}/{}", directory, kCursorFolder)) {}

bool CursorStore::valid_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kCursorNameBytesMax && letter_or_digit(name.front()) &&
         std::ranges::all_of(name, [](char c) { return letter_or_digit(c) || c == '-' || c == '_'; });
}

Status CursorStore::check_name(std::string_view name) const {
  if (valid_name(name)) return {};
  return fail(Error(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no name for a cursor", name))
                  .advise("Use 1 to 64 letters, digits, '-' and '_'"));
}

Result<std::optional<Sequence>> CursorStore::load(std::string_view name) {
  if (auto checked = check_name(name); !checked) return fail(std::move(checked.error()));
  const std::string path = fmt::format("{}/{}", directory_, name);
  const auto text = read_file(files_, path, kNumberFileBytesMax);
  if (!text && text.error().code() == ErrorCode::kNotFound) return std::nullopt;
  if (!text && text.error().code() != ErrorCode::kCorrupt) return fail(text.error());
  auto numbers =
      text ? decode_numbers(*text, kWord, 1) : Result<std::vector<std::uint64_t>>(fail(text.error()));
  if (numbers) return numbers->front();
  if (numbers.error().code() != ErrorCode::kCorrupt)
    return fail(std::move(numbers.error()).during("read the cursor " + path));
  if (auto kept = files_.rename(path, path + std::string(kDamagedSuffix)); !kept)
    return fail(std::move(kept.error()));
  return fail(std::move(numbers.error())
                  .during(fmt::format("read the cursor {}, now kept as {}{}", path, name, kDamagedSuffix)));
}

Status CursorStore::save(std::string_view name, Sequence next) {
  if (auto checked = check_name(name); !checked) return checked;
  if (auto made = files_.make_directory(directory_); !made) return made;
  const std::array<std::uint64_t, 1> numbers{next};
  return replace_file(files_, directory_, std::string(name), encode_numbers(kWord, numbers));
}

Status CursorStore::remove(std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (auto removed = files_.remove(fmt::format("{}/{}", directory_, name)); !removed) return removed;
  return files_.sync_directory(directory_);
}

Result<std::vector<std::string>> CursorStore::names() {
  auto names = files_.list(directory_);
  if (!names && names.error().code() == ErrorCode::kNotFound) return std::vector<std::string>{};
  if (!names) return names;
  std::erase_if(*names, [](const std::string& name) { return !valid_name(name); });
  if (names->size() > kCursorsMax)
    return fail(
        Error(ErrorCode::kResource, fmt::format("{} has more than {} cursors", directory_, kCursorsMax)));
  std::ranges::sort(*names);
  return names;
}

}  // namespace flowtally::journal
