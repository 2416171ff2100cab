#include "sink/sigv4.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <span>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/check.hpp"

namespace flowtally::sink {
namespace {

using Hash = std::array<unsigned char, SHA256_DIGEST_LENGTH>;
using Fields = std::vector<std::pair<std::string, std::string>>;

std::span<const unsigned char> bytes_of(std::string_view text) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): OpenSSL counts in unsigned bytes
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

std::string hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0x0fU];
  }
  return out;
}

Hash hmac(std::span<const unsigned char> key, std::string_view text) {
  Hash out{};
  const auto bytes = bytes_of(text);
  const unsigned char* const made = ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()),
                                           bytes.data(), bytes.size(), out.data(), nullptr);
  FLOWTALLY_CHECK(made != nullptr);
  return out;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Without spaces around it, and with one for many within.
std::string trimmed(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out += c;
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

/// "20130524T000000Z".
std::string time_text(std::int64_t wall_seconds) {
  const auto seconds = static_cast<std::time_t>(wall_seconds);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string canonical_query(Fields query) {
  for (auto& [name, value] : query) {
    name = uri_encoded(name, false);
    value = uri_encoded(value, false);
  }
  std::ranges::sort(query);
  std::string out;
  for (const auto& [name, value] : query) out += fmt::format("{}{}={}", out.empty() ? "" : "&", name, value);
  return out;
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  Hash out{};
  const auto data = bytes_of(bytes);
  ::SHA256(data.data(), data.size(), out.data());
  return hex(out);
}

std::string uri_encoded(std::string_view text, bool in_path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain || (in_path && c == '/')) {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 0x0fU];
    }
  }
  return out;
}

Fields sign(const RequestToSign& request, const SigningKeys& keys, std::int64_t wall_seconds) {
  const std::string time = time_text(wall_seconds);
  const std::string date = time.substr(0, 8);

  Fields added = {{"x-amz-date", time}};
  if (keys.service == "s3") added.emplace_back("x-amz-content-sha256", request.payload_hash);
  if (!keys.session_token.empty()) added.emplace_back("x-amz-security-token", keys.session_token.reveal());

  Fields headers = request.headers;
  headers.insert(headers.end(), added.begin(), added.end());
  headers.emplace_back("host", request.host);
  for (auto& [name, value] : headers) {
    name = lower(std::move(name));
    value = trimmed(value);
  }
  std::ranges::sort(headers);
  std::string lines;
  std::string names;
  for (const auto& [name, value] : headers) {
    lines += fmt::format("{}:{}\n", name, value);
    names += fmt::format("{}{}", names.empty() ? "" : ";", name);
  }

  const std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, canonical_query(request.query),
                  lines, names, request.payload_hash);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", date, keys.region, keys.service);
  const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, sha256_hex(canonical));

  const Hash of_date = hmac(bytes_of("AWS4" + keys.secret_key.reveal()), date);
  const Hash of_region = hmac(of_date, keys.region);
  const Hash of_service = hmac(of_region, keys.service);
  const Hash key = hmac(of_service, "aws4_request");
  added.emplace_back("authorization",
                     fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}",
                                 keys.access_key, scope, names, hex(hmac(key, to_sign))));
  return added;
}

}  // namespace flowtally::sink
