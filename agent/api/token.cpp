#include "api/token.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.hpp"

namespace flowtally::api {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

std::optional<unsigned> base64_digit(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return static_cast<unsigned>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<unsigned>(c - 'a' + 26);
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0' + 52);
  if (c == '+') return 62;
  if (c == '/') return 63;
  return std::nullopt;
}

/// The rest of `text` after "bearer " in any case.
std::optional<std::string_view> after_scheme(std::string_view text, std::string_view scheme) noexcept {
  if (text.size() <= scheme.size() || text[scheme.size()] != ' ') return std::nullopt;
  const bool same = std::ranges::equal(text.substr(0, scheme.size()), scheme, [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == b;
  });
  if (!same) return std::nullopt;
  text.remove_prefix(scheme.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

base::Result<std::string> read_secret(const std::string& path) {
  const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file.valid()) return fail(Error::from_errno(errno, "open"));
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail(Error::from_errno(errno, "stat"));
  if (!S_ISREG(info.st_mode)) return fail(Error(ErrorCode::kInvalidArgument, "it is no regular file"));
  if ((info.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return fail(Error(ErrorCode::kPermission, "every user of this machine may read or write it")
                    .advise(fmt::format("Run `chmod o= {}` and put another token into it", path)));
  }
  std::array<char, kTokenBytesMax + 2> bytes{};
  const ssize_t count = ::read(file.get(), bytes.data(), bytes.size());
  if (count < 0) return fail(Error::from_errno(errno, "read"));
  return std::string(bytes.data(), static_cast<std::size_t>(count));
}

}  // namespace

base::Result<Token> Token::load(const std::string& path) {
  const std::string step = fmt::format("the token file {}", path);
  auto text = read_secret(path);
  if (!text) return fail(std::move(text.error()).during(step));
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  const bool visible = std::ranges::all_of(*text, [](char c) { return c > 0x20 && c < 0x7f && c != ':'; });
  if (!visible || text->size() < kTokenBytesMin || text->size() > kTokenBytesMax) {
    return fail(Error(ErrorCode::kInvalidArgument,
                      fmt::format("{}: it does not hold one line of {} to {} visible characters without ':'",
                                  step, kTokenBytesMin, kTokenBytesMax))
                    .advise(fmt::format("Run `(umask 077; openssl rand -hex 32 > {})`", path)));
  }
  return Token(std::move(*text));
}

bool Token::equals(std::string_view candidate) const noexcept {
  // Every byte of the candidate is looked at, whatever was found before: only its own length shows.
  unsigned difference = candidate.size() == text_.size() ? 0U : 1U;
  for (std::size_t at = 0; at < candidate.size(); ++at) {
    const auto theirs = static_cast<unsigned char>(candidate[at]);
    const auto ours = static_cast<unsigned char>(text_[at % text_.size()]);
    difference |= static_cast<unsigned>(theirs ^ ours);
  }
  return difference == 0;
}

bool Token::allows(std::string_view authorization) const {
  if (const auto bearer = after_scheme(authorization, "bearer")) return equals(*bearer);
  const auto basic = after_scheme(authorization, "basic");
  if (!basic) return false;
  const std::string user = decode_base64(*basic);
  return equals(std::string_view(user).substr(0, user.find(':')));
}

std::string decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return {};
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  text.remove_suffix(padding);
  std::string decoded;
  decoded.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const auto digit = base64_digit(c);
    if (!digit) return {};
    bits = bits << 6U | *digit;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    decoded.push_back(static_cast<char>(bits >> held & 0xFFU));
  }
  return decoded;
}

}  // namespace flowtally::api
