#include "config/value.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/near_miss.hpp"
#include "base/units.hpp"
#include "config/faults.hpp"

namespace flowtally::config {
namespace {

using Read = std::expected<Value, Problem>;

constexpr std::size_t kInterfaceBytesMax = 15;
constexpr std::size_t kNodeIdBytesMax = 128;
constexpr std::size_t kTopicBytesMax = 249;  // Kafka's own limit
constexpr std::size_t kBucketBytesMin = 3;
constexpr std::size_t kBucketBytesMax = 63;
constexpr std::uint64_t kStatusMin = 200;
constexpr std::uint64_t kStatusMax = 599;
constexpr std::string_view kLogPlace = "{log}";

std::unexpected<Problem> wrong(std::string problem) { return std::unexpected<Problem>(std::move(problem)); }

bool is_letter_or_digit(char c) noexcept { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool consists_of(std::string_view text, std::string_view besides) {
  return std::ranges::all_of(
      text, [&](char c) { return is_letter_or_digit(c) || besides.find(c) != std::string_view::npos; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// "is no size; write …", or "is not from … to …".
Read read_measure(const KeyInfo& key, std::string_view text) {
  std::optional<std::uint64_t> measure;
  const char* what = "whole number; write it as 5000, 64k or 2M";
  if (key.type == ValueType::kTime) {
    what = "time; write it as 500ms, 5s, 2m, 1h or 30d";
    if (const auto time = base::parse_time(text)) measure = static_cast<std::uint64_t>(time->count());
  } else {
    if (key.type == ValueType::kSize) what = "size; write it as 500K, 64M, 4G or as a number of bytes";
    measure = base::parse_size(text);
  }
  if (!measure) return wrong(fmt::format("is no {}", what));
  if (*measure >= key.min && *measure <= key.max) return Value(*measure);
  const auto bound = [&](std::uint64_t value) {
    if (key.type == ValueType::kTime) return base::time_text(std::chrono::milliseconds(value));
    return key.type == ValueType::kSize ? base::size_text(value) : std::to_string(value);
  };
  if (key.max == UINT64_MAX) return wrong(fmt::format("is less than {}", bound(key.min)));
  return wrong(fmt::format("is not from {} to {}", bound(key.min), bound(key.max)));
}

Problem not_one_of(std::string_view text, std::span<const std::string_view> words) {
  const std::string meant = base::near_miss(lower(text), words);
  return fmt::format("is not one of {}{}", fmt::join(words, ", "),
                     meant.empty() ? "" : fmt::format("; did you mean \"{}\"?", meant));
}

bool is_one_of(std::string_view text, std::span<const std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

bool is_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view host = text.substr(0, colon);
  const auto port = whole_number(text.substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) return false;
  if (!host.starts_with('[')) return !host.empty() && consists_of(host, ".-_");
  if (!host.ends_with(']') || host.size() < 4) return false;
  host = host.substr(1, host.size() - 2);
  return consists_of(host, ":.%");
}

bool are_endpoints(std::string_view text) {
  while (true) {
    const std::size_t comma = text.find(',');
    if (!is_endpoint(text.substr(0, comma))) return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

Read read_url(std::string_view text) {
  constexpr std::string_view kWanted = "is no URL; write it as https://HOST:PORT";
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return wrong(std::string(kWanted));
  }
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos)
    return wrong("has a user or a password in it, which would be shown; the other keys have places for them");
  const bool plain =
      std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != '"'; });
  const bool host = is_endpoint(authority) || (consists_of(authority, ".-_") && !authority.empty()) ||
                    (authority.starts_with('[') && authority.ends_with(']'));
  if (!plain || !host || rest.find('#') != std::string_view::npos) return wrong(std::string(kWanted));
  return Value(std::string(text));
}

bool is_interface(std::string_view text) {
  return text.size() <= kInterfaceBytesMax && text != "." && text != ".." &&
         text.find_first_of("/: \t\n\v\f\r") == std::string_view::npos;
}

bool is_topic(std::string_view text) {
  std::string name(text);
  for (std::size_t at = name.find(kLogPlace); at != std::string::npos; at = name.find(kLogPlace))
    name.replace(at, kLogPlace.size(), "configuration");
  return name.size() <= kTopicBytesMax && name != "." && name != ".." && consists_of(name, "._-");
}

bool is_path(std::string_view text) { return text.starts_with('/') && !text.ends_with('/'); }

/// Of the types that are a text with a form.
Read read_text(const KeyInfo& key, std::string_view text) {
  const auto take = [&](bool fits, std::string_view problem) -> Read {
    if (fits) return Value(std::string(text));
    return wrong(std::string(problem));
  };
  switch (key.type) {
    case ValueType::kUrl: return read_url(text);
    case ValueType::kPath: return take(is_path(text), "is no absolute path; write it as /DIRECTORY/NAME");
    case ValueType::kOutput:
      return take(text == "-" || is_path(text), "is neither the absolute path of a file nor -");
    case ValueType::kEndpoint: return take(is_endpoint(text), "is not HOST:PORT");
    case ValueType::kEndpoints:
      return take(are_endpoints(text), "is not HOST:PORT, or several with commas between");
    case ValueType::kInterface:
      return take(is_interface(text),
                  "is no interface name; give 1 to 15 characters without slash, colon or space");
    case ValueType::kNodeId:
      return take(text.size() <= kNodeIdBytesMax &&
                      std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; }),
                  "is no node id; give 1 to 128 printable ASCII characters without spaces");
    case ValueType::kTopic:
      return take(is_topic(text), "is no topic; give 1 to 249 of a-z A-Z 0-9 . _ - or {log}");
    case ValueType::kBucket:
      return take(
          text.size() >= kBucketBytesMin && text.size() <= kBucketBytesMax && consists_of(text, ".-_"),
          "is no name of a bucket; give 3 to 63 letters, digits, . - or _");
    default: return Value(std::string(text));
  }
}

bool is_header_name(std::string_view name) { return !name.empty() && consists_of(name, "!#$%&'*+-.^_`|~"); }

}  // namespace

bool is_list(ValueType type) noexcept {
  return type == ValueType::kWords || type == ValueType::kStatuses || type == ValueType::kInterfaces;
}

bool is_map(ValueType type) noexcept {
  return type == ValueType::kLabels || type == ValueType::kProperties || type == ValueType::kHeaders;
}

std::string file_key_of(const KeyInfo& key) {
  if (key.type == ValueType::kHeaders) return "header_files";
  return key.type == ValueType::kSecret ? std::string(key.path) + "_file" : std::string();
}

Read read_scalar(const KeyInfo& key, std::string_view text) {
  if (text.empty()) return wrong("is empty; give a value or leave the key out");
  if (text.size() > kTextBytesMax) return wrong(fmt::format("is longer than {} bytes", kTextBytesMax));
  if (!is_one_line(text)) return wrong("has characters that are not for one line of text");
  switch (key.type) {
    case ValueType::kFlag:
      if (text == "true" || text == "false") return Value(text == "true");
      return wrong("is neither true nor false");
    case ValueType::kNumber:
    case ValueType::kSize:
    case ValueType::kTime: return read_measure(key, text);
    case ValueType::kWord:
      if (is_one_of(text, key.words)) return Value(std::string(text));
      return wrong(not_one_of(text, key.words));
    case ValueType::kSecret: return Value(model::Secret(std::string(text)));
    default: return read_text(key, text);
  }
}

Read read_list(const KeyInfo& key, std::span<const std::string> texts) {
  if (texts.size() > kListMax) return wrong(fmt::format("has more than {} entries", kListMax));
  Texts list;
  for (const std::string& text : texts) {
    if (std::ranges::find(list, text) != list.end())
      return wrong(fmt::format("has {} twice", in_quotes(text)));
    std::string problem;
    if (key.type == ValueType::kWords && !is_one_of(text, key.words)) problem = not_one_of(text, key.words);
    if (key.type == ValueType::kInterfaces && (text.empty() || !is_one_line(text) || !is_interface(text)))
      problem = "is no interface name";
    if (key.type == ValueType::kStatuses) {
      const auto status = whole_number(text);
      if (!status || *status < kStatusMin || *status > kStatusMax)
        problem = fmt::format("is no HTTP status from {} to {}", kStatusMin, kStatusMax);
    }
    if (!problem.empty()) return wrong(fmt::format("{} {}", in_quotes(text), problem));
    list.push_back(text);
  }
  return Value(std::move(list));
}

bool is_credential_header(std::string_view name) {
  constexpr std::array<std::string_view, 9> kWords = {"auth",   "token",      "secret",  "key", "password",
                                                      "cookie", "credential", "session", "pass"};
  const std::string small = lower(name);
  return std::ranges::any_of(kWords,
                             [&](std::string_view word) { return small.find(word) != std::string::npos; });
}

std::expected<void, Problem> check_pair(const KeyInfo& key, std::string_view name, std::string_view value) {
  constexpr std::array<std::string_view, 8> kOurs = {
      "host",       "content-length", "content-encoding",  "content-type",
      "connection", "expect",         "transfer-encoding", "upgrade"};
  constexpr std::array<std::string_view, 5> kSecretWords = {"password", "secret", "jaas", "token", ".pem"};
  if (value.size() > kTextBytesMax || !is_one_line(value))
    return wrong(fmt::format("has a value that is no single line of at most {} bytes", kTextBytesMax));
  switch (key.type) {
    case ValueType::kHeaders:
      if (!is_header_name(name)) return wrong("is no name of a header");
      if (is_one_of(lower(name), kOurs)) return wrong("is a header that is set by flowtally itself");
      return {};
    case ValueType::kLabels:
      if (consists_of(name, "_") && !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0)
        return {};
      return wrong("is no name of a label; give letters, digits and _, no digit first");
    default:
      if (name.empty() || !consists_of(name, "._")) return wrong("is no name of a librdkafka property");
      if (std::ranges::any_of(kSecretWords, [&](std::string_view word) {
            return name.find(word) != std::string_view::npos;
          })) {
        return wrong("is a secret, which has no place here; use user and password_file, or tls.key_file");
      }
      return {};
  }
}

bool says_nothing(const KeyInfo& key, const Value& value) {
  return std::visit(
      [&](const auto& held) {
        if constexpr (requires { held.empty(); }) {
          return held.empty();
        } else {
          return key.type != ValueType::kFlag && static_cast<std::uint64_t>(held) < key.min;
        }
      },
      value);
}

bool is_one_line(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    if (first < 0x20 || first == 0x7f) return false;
    std::size_t more = 0;
    if (first >= 0xf0) {
      more = 3;
    } else if (first >= 0xe0) {
      more = 2;
    } else if (first >= 0xc2) {
      more = 1;
    } else if (first >= 0x80) {
      return false;
    }
    if (first > 0xf4 || text.size() - at <= more) return false;
    for (std::size_t next = 1; next <= more; ++next) {
      if ((static_cast<unsigned char>(text[at + next]) & 0xc0U) != 0x80U) return false;
    }
    const auto second = static_cast<unsigned char>(more == 0 ? 0 : text[at + 1]);
    // Overlong forms, surrogates, and what is beyond Unicode.
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90)) {
      return false;
    }
    at += more + 1;
  }
  return true;
}

}  // namespace flowtally::config
