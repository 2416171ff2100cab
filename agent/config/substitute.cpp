#include "config/substitute.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

#include <fmt/format.h>

namespace flowtally::config {
namespace {

constexpr std::string_view kBegin = "${";
constexpr std::string_view kEscaped = "$${";
constexpr std::string_view kInstead = ":-";

bool is_name(std::string_view name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::ranges::all_of(name,
                             [](unsigned char c) { return c < 0x80 && (std::isalnum(c) != 0 || c == '_'); });
}

/// What stands between the braces.
std::expected<void, std::string> put(std::string_view inside, const Environment& environment,
                                     Substituted& to) {
  const std::size_t colon = inside.find(kInstead);
  const std::string_view name = inside.substr(0, colon);
  if (!is_name(name)) return std::unexpected(fmt::format("{} is no name of a variable", in_quotes(name)));
  if (!environment) {
    return std::unexpected(
        fmt::format("${{{}}}: variables are not put in here; write $${{ for ${{ as it is", shown(name)));
  }
  const std::optional<std::string> value = environment(std::string(name));
  const bool instead = colon != std::string_view::npos && (!value || value->empty());
  if (instead) {
    to.text += inside.substr(colon + kInstead.size());
    to.literal = true;
    return {};
  }
  if (!value) {
    return std::unexpected(
        fmt::format("the variable {0} is not set; set it, or write ${{{0}:-VALUE}}", name));
  }
  if (value->size() > kVariableBytesMax)
    return std::unexpected(fmt::format("the variable {} has more than {} bytes", name, kVariableBytesMax));
  to.text += *value;
  to.variables = true;
  return {};
}

}  // namespace

std::expected<Substituted, std::string> substitute(std::string_view text, const Environment& environment) {
  Substituted out;
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('$'), text.size());
    out.text += text.substr(0, plain);
    out.literal = out.literal || plain > 0;
    text.remove_prefix(plain);
    if (text.starts_with(kEscaped)) {
      out.text += kBegin;
      out.literal = true;
      text.remove_prefix(kEscaped.size());
    } else if (text.starts_with(kBegin)) {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) return std::unexpected("\"${\" has no \"}\" behind it");
      auto done = put(text.substr(kBegin.size(), end - kBegin.size()), environment, out);
      if (!done) return std::unexpected(std::move(done.error()));
      if (out.text.size() > kVariableBytesMax)
        return std::unexpected(
            fmt::format("with its variables the value has more than {} bytes", kVariableBytesMax));
      text.remove_prefix(end + 1);
    } else if (!text.empty()) {
      out.text += '$';
      out.literal = true;
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace flowtally::config
