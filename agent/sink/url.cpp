#include "sink/url.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace flowtally::sink {
namespace {

std::unexpected<base::Error> wrong(std::string what) {
  return base::fail(base::Error(base::ErrorCode::kInvalidArgument, std::move(what)));
}

bool is_token(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t bits = 0;
    for (std::size_t byte = 0; byte < 3; ++byte) {
      bits <<= 8U;
      if (at + byte < bytes.size()) bits |= static_cast<unsigned char>(bytes[at + byte]);
    }
    const std::size_t digits = std::min<std::size_t>(bytes.size() - at, 3) + 1;
    for (std::size_t digit = 0; digit < 4; ++digit)
      out += digit < digits ? kDigits[(bits >> (18U - 6U * digit)) & 0x3fU] : '=';
  }
  return out;
}

}  // namespace

base::Result<std::string> url_with_path(std::string_view url, std::string_view path) {
  const std::size_t scheme = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
  if (scheme == 0) return wrong(fmt::format("url: \"{}\" does not begin with https:// or http://", url));
  const std::size_t host_end = std::min(url.find_first_of("/?", scheme), url.size());
  const std::string_view host = url.substr(scheme, host_end - scheme);
  if (host.empty()) return wrong(fmt::format("url: \"{}\" has no host", url));
  // It may be a password, so it is not shown.
  if (host.find('@') != std::string_view::npos)
    return wrong("url: there is a user in it; put it where secrets are");
  const bool odd =
      std::ranges::any_of(url, [](char c) { return c <= ' ' || c > '~' || c == '#' || c == '\\'; });
  if (odd) return wrong(fmt::format("url: \"{}\" has a character that no address has", url));
  const std::size_t query_at = std::min(url.find('?'), url.size());
  std::string out(url.substr(0, query_at));
  while (out.ends_with('/')) out.pop_back();
  if (!out.ends_with(path)) out += path;
  out += url.substr(query_at);
  return out;
}

base::Status append_headers(const model::Headers& headers, std::vector<std::string>& to) {
  for (const auto& [name, value] : headers) {
    if (name.empty() || !std::ranges::all_of(name, is_token))
      return wrong(fmt::format("headers: \"{}\" is no name of a header", name));
    if (value.reveal().find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
      return wrong(fmt::format("headers: the value of {} has a line end in it", name));
    // libcurl takes "Name:" for the wish to leave it out, and "Name;" for one without a value.
    to.push_back(value.empty() ? name + ";" : fmt::format("{}: {}", name, value.reveal()));
  }
  return {};
}

std::string basic_authorization(std::string_view user, std::string_view password) {
  return "Authorization: Basic " + base64(fmt::format("{}:{}", user, password));
}

}  // namespace flowtally::sink
