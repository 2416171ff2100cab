#include "journal/number_file.hpp"

#include <charconv>

#include <fmt/format.h>

#include "journal/bytes.hpp"
#include "journal/index_format.hpp"

namespace flowtally::journal {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

/// The next word, up to a space; nothing is left of a text that has none.
std::string_view take_word(std::string_view& text) {
  const std::size_t space = text.find(' ');
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  return word;
}

bool parse(std::string_view word, std::uint64_t& number) {
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == word.data() + word.size();
}

}  // namespace

std::string encode_numbers(std::string_view word, std::span<const std::uint64_t> numbers) {
  std::string out = fmt::format("flowtally-{} {}", word, kJournalVersion);
  for (const std::uint64_t number : numbers) out += fmt::format(" {}", number);
  return fmt::format("{} {:016x}\n", out, checksum(out));
}

base::Result<std::vector<std::uint64_t>> decode_numbers(std::string_view text, std::string_view word,
                                                        std::size_t count) {
  const Error damaged(ErrorCode::kCorrupt, fmt::format("it is no file of the kind flowtally-{}", word));
  std::string_view rest = text;
  if (take_word(rest) != fmt::format("flowtally-{}", word)) return fail(damaged);
  std::uint64_t version = 0;
  if (!parse(take_word(rest), version) || version == 0) return fail(damaged);
  if (version > kJournalVersion) {
    return fail(Error(
        ErrorCode::kUnsupported,
        fmt::format("it has version {} of the format; this program knows {}", version, kJournalVersion)));
  }
  std::vector<std::uint64_t> numbers(count);
  for (std::uint64_t& number : numbers) {
    if (!parse(take_word(rest), number)) return fail(damaged);
  }
  if (text != encode_numbers(word, numbers)) return fail(damaged);
  return numbers;
}

}  // namespace flowtally::journal
