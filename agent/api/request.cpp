#include "api/request.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "api/limits.hpp"

namespace flowtally::api {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

std::optional<unsigned> hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

enum class Plus : std::uint8_t { kIsItself, kIsSpace };

base::Result<std::string> decode(std::string_view text, Plus plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    if (c == '%') {
      const auto high = at + 1 < text.size() ? hex_digit(text[at + 1]) : std::nullopt;
      const auto low = at + 2 < text.size() ? hex_digit(text[at + 2]) : std::nullopt;
      if (!high || !low) {
        return fail(Error(ErrorCode::kInvalidArgument,
                          "the address has a '%' that is not followed by two hexadecimal digits"));
      }
      c = static_cast<char>(*high * 16U + *low);
      at += 2;
    } else if (c == '+' && plus == Plus::kIsSpace) {
      c = ' ';
    }
    if (c == '\0') return fail(Error(ErrorCode::kInvalidArgument, "the address has a zero byte"));
    decoded.push_back(c);
  }
  return decoded;
}

/// Calls `take` for each part between separators; an empty text has one empty part.
template <class Take>
base::Status split(std::string_view text, char separator, const Take& take) {
  for (;;) {
    const std::size_t end = text.find(separator);
    if (auto taken = take(text.substr(0, end)); !taken) return taken;
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
}

base::Status add_parameter(std::string_view text, Parameters& parameters) {
  if (text.empty()) return {};
  if (parameters.all().size() == kParametersMax) {
    return fail(Error(ErrorCode::kResource, fmt::format("more than {} parameters", kParametersMax)));
  }
  const std::size_t equals = text.find('=');
  auto name = decode(text.substr(0, equals), Plus::kIsSpace);
  if (!name) return fail(std::move(name.error()));
  auto value = decode(equals == std::string_view::npos ? "" : text.substr(equals + 1), Plus::kIsSpace);
  if (!value) return fail(std::move(value.error()));
  parameters.add(std::move(*name), std::move(*value));
  return {};
}

bool equal_words(std::string_view left, std::string_view right) noexcept {
  return std::ranges::equal(left, right, [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  });
}

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// ";q=0", ";q=0.000"
bool weighs_nothing(std::string_view options) noexcept {
  const std::size_t q = options.find("q=");
  if (q == std::string_view::npos) return false;
  return trimmed(options.substr(q + 2)).find_first_not_of("0.") == std::string_view::npos;
}

}  // namespace

std::optional<std::string_view> Parameters::find(std::string_view name) const noexcept {
  const auto found =
      std::ranges::find(all_, name, [](const auto& pair) { return std::string_view(pair.first); });
  if (found == all_.end()) return std::nullopt;
  return found->second;
}

base::Result<Target> parse_target(std::string_view text) {
  if (text.size() > kTargetBytesMax) {
    return fail(
        Error(ErrorCode::kResource, fmt::format("the address is longer than {} bytes", kTargetBytesMax)));
  }
  text = text.substr(0, text.find('#'));
  if (!text.starts_with('/')) {
    return fail(Error(ErrorCode::kInvalidArgument, "the address does not begin with a slash"));
  }
  Target target;
  const std::size_t question = text.find('?');
  const std::string_view path = text.substr(1, question == std::string_view::npos ? question : question - 1);
  if (!path.empty()) {
    auto done = split(path, '/', [&](std::string_view part) -> base::Status {
      auto decoded = decode(part, Plus::kIsItself);
      if (!decoded) return fail(std::move(decoded.error()));
      target.path.push_back(std::move(*decoded));
      return {};
    });
    if (!done) return fail(std::move(done.error()));
  }
  if (question != std::string_view::npos) {
    auto done = split(text.substr(question + 1), '&',
                      [&](std::string_view part) { return add_parameter(part, target.parameters); });
    if (!done) return fail(std::move(done.error()));
  }
  return target;
}

bool accepts(std::string_view list, std::string_view word) noexcept {
  for (;;) {
    const std::size_t end = list.find(',');
    const std::string_view part = list.substr(0, end);
    const std::size_t semicolon = part.find(';');
    if (equal_words(trimmed(part.substr(0, semicolon)), word)) {
      return semicolon == std::string_view::npos || !weighs_nothing(part.substr(semicolon));
    }
    if (end == std::string_view::npos) return false;
    list.remove_prefix(end + 1);
  }
}

}  // namespace flowtally::api
