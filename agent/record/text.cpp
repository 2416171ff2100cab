#include "record/text.hpp"

#include <array>
#include <chrono>
#include <cstring>

namespace flowtally::record {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::size_t kGroups = 8;  // of 16 bits in an IPv6 address
constexpr std::string_view kMappedPrefix = "::ffff:";
constexpr std::string_view kTimeFrame = "0000-00-00T00:00:00";
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

/// "00" to "99", one after the other.
constexpr std::array<char, 200> kPairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t value = 0; value < 100; ++value) {
    pairs[value * 2] = static_cast<char>('0' + value / 10);
    pairs[value * 2 + 1] = static_cast<char>('0' + value % 10);
  }
  return pairs;
}();

/// An octet with the dot behind it: always four bytes are copied, `bytes` of them count.
struct OctetText {
  char text[4];
  std::uint8_t bytes;
};

constexpr std::array<OctetText, 256> kOctets = [] {
  std::array<OctetText, 256> octets{};
  for (unsigned value = 0; value < 256; ++value) {
    OctetText& octet = octets[value];
    if (value >= 100) octet.text[octet.bytes++] = static_cast<char>('0' + value / 100);
    if (value >= 10) octet.text[octet.bytes++] = static_cast<char>('0' + value / 10 % 10);
    octet.text[octet.bytes++] = static_cast<char>('0' + value % 10);
    octet.text[octet.bytes++] = '.';
  }
  return octets;
}();

void put_pair(unsigned value, char* to) noexcept { std::memcpy(to, &kPairs[std::size_t{value} * 2], 2); }

char* put_text(std::string_view text, char* to) noexcept {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

char* put_ipv4(const std::uint8_t* octets, char* to) noexcept {
  for (unsigned index = 0; index < 4; ++index) {
    const OctetText& octet = kOctets[octets[index]];
    std::memcpy(to, octet.text, 4);
    to += octet.bytes;
  }
  return to - 1;  // the last dot is not wanted
}

char* put_group(unsigned group, char* to) noexcept {
  if (group >= 0x1000) *to++ = kHex[group >> 12U];
  if (group >= 0x100) *to++ = kHex[group >> 8U & 0xFU];
  if (group >= 0x10) *to++ = kHex[group >> 4U & 0xFU];
  *to++ = kHex[group & 0xFU];
  return to;
}

bool is_ipv4_mapped(const std::uint8_t* bytes) noexcept {
  constexpr std::uint8_t kPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  return std::memcmp(bytes, kPrefix, sizeof kPrefix) == 0;
}

struct ZeroRun {
  std::size_t begin = kGroups;
  std::size_t end = kGroups;
};

/// The longest run of two or more zero groups, the first of them on a tie (RFC 5952, 4.2).
ZeroRun longest_zero_run(const std::array<unsigned, kGroups>& groups) noexcept {
  ZeroRun longest;
  for (std::size_t begin = 0; begin < kGroups; ++begin) {
    std::size_t end = begin;
    while (end < kGroups && groups[end] == 0) ++end;
    const std::size_t best = longest.end - longest.begin;
    if (end - begin >= 2 && end - begin > best) longest = {.begin = begin, .end = end};
    if (end > begin) begin = end;  // groups[end] is not zero, or the end
  }
  return longest;
}

char* put_ipv6(const std::uint8_t* bytes, char* to) noexcept {
  if (is_ipv4_mapped(bytes)) {
    return put_ipv4(bytes + 12, put_text(kMappedPrefix, to));
  }
  std::array<unsigned, kGroups> groups{};
  for (std::size_t index = 0; index < kGroups; ++index) {
    groups[index] = static_cast<unsigned>(bytes[index * 2] << 8 | bytes[index * 2 + 1]);
  }
  const ZeroRun run = longest_zero_run(groups);
  for (std::size_t index = 0; index < kGroups; ++index) {
    if (index == run.begin) {
      *to++ = ':';
      *to++ = ':';
      index = run.end;
      if (index == kGroups) break;
    } else if (index > 0) {
      *to++ = ':';
    }
    to = put_group(groups[index], to);
  }
  return to;
}

/// Bytes of the UTF-8 sequence that `text` begins with; 0 where it begins with none (RFC 3629: no surrogates,
/// nothing overlong, nothing above U+10FFFF).
std::size_t utf8_sequence_bytes(std::string_view text) noexcept {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned first = byte(0);
  const std::size_t bytes = first < 0x80   ? 1
                            : first < 0xC2 ? 0
                            : first < 0xE0 ? 2
                            : first < 0xF0 ? 3
                            : first < 0xF5 ? 4
                                           : 0;
  if (bytes < 2 || text.size() < bytes) return bytes == 1 ? 1 : 0;
  // The second byte closes what the first leaves open: E0 and F0 overlong forms, ED surrogates, F4 the end of
  // Unicode.
  const unsigned lowest = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned highest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < lowest || byte(1) > highest) return 0;
  for (std::size_t index = 2; index < bytes; ++index) {
    if ((byte(index) & 0xC0U) != 0x80) return 0;
  }
  return bytes;
}

/// Bytes that `text` begins with and that stand in a JSON string as they are: nearly always all of it.
std::size_t plain_bytes(std::string_view text) noexcept {
  const auto plain = [](char character) {
    return character >= 0x20 && character < 0x7F && character != '"' && character != '\\';
  };
  std::size_t bytes = 0;
  while (bytes < text.size() && plain(text[bytes])) ++bytes;
  return bytes;
}

/// Appends the escape of an ASCII character, if it needs one.
bool append_escape(unsigned char character, std::string& out) {
  switch (character) {
    case '"': out += "\\\""; return true;
    case '\\': out += "\\\\"; return true;
    case '\b': out += "\\b"; return true;
    case '\f': out += "\\f"; return true;
    case '\n': out += "\\n"; return true;
    case '\r': out += "\\r"; return true;
    case '\t': out += "\\t"; return true;
    default: break;
  }
  if (character >= 0x20) return false;
  out += "\\u00";
  out += kHex[character >> 4U];
  out += kHex[character & 0xFU];
  return true;
}

}  // namespace

char* put_number(std::uint64_t number, char* to) noexcept {
  char* const end = to + decimal_digits(number);
  char* at = end;
  while (number >= 100) {
    at -= 2;
    put_pair(static_cast<unsigned>(number % 100), at);
    number /= 100;
  }
  if (number >= 10) {
    put_pair(static_cast<unsigned>(number), to);
  } else {
    *to = static_cast<char>('0' + number);
  }
  return end;
}

char* put_address(const model::Address& address, char* to) noexcept {
  switch (address.family) {
    case model::Address::Family::kV4: return put_ipv4(address.bytes.data(), to);
    case model::Address::Family::kV6: return put_ipv6(address.bytes.data(), to);
    case model::Address::Family::kNone: break;
  }
  return to;
}

char* put_endpoint(const model::Endpoint& endpoint, char* to) noexcept {
  if (!endpoint.address.valid()) return to;
  if (endpoint.address.family == model::Address::Family::kV6) {
    *to++ = '[';
    to = put_ipv6(endpoint.address.bytes.data(), to);
    *to++ = ']';
  } else {
    to = put_ipv4(endpoint.address.bytes.data(), to);
  }
  *to++ = ':';
  return put_number(endpoint.port, to);
}

std::size_t endpoint_bytes(const model::Endpoint& endpoint) noexcept {
  if (endpoint.address.family == model::Address::Family::kV4) {
    std::size_t bytes = decimal_digits(endpoint.port);  // and the colon takes the place of the last dot
    for (unsigned index = 0; index < 4; ++index) bytes += kOctets[endpoint.address.bytes[index]].bytes;
    return bytes;
  }
  char text[kEndpointBytesMax];
  return static_cast<std::size_t>(put_endpoint(endpoint, text) - text);
}

char* put_time(std::int64_t unix_ns, char* to) noexcept {
  // Rounded down, not towards zero, so that the fraction is never negative.
  std::int64_t seconds = unix_ns / kNsPerSecond;
  std::int64_t fraction = unix_ns % kNsPerSecond;
  if (fraction < 0) {
    fraction += kNsPerSecond;
    --seconds;
  }
  std::int64_t days = seconds / kSecondsPerDay;
  if (seconds % kSecondsPerDay < 0) --days;
  const auto second_of_day = static_cast<unsigned>(seconds - days * kSecondsPerDay);
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));  // 1677 to 2262

  static_cast<void>(put_text(kTimeFrame, to));
  put_pair(year / 100, to);
  put_pair(year % 100, to + 2);
  put_pair(static_cast<unsigned>(date.month()), to + 5);
  put_pair(static_cast<unsigned>(date.day()), to + 8);
  put_pair(second_of_day / 3600, to + 11);
  put_pair(second_of_day / 60 % 60, to + 14);
  put_pair(second_of_day % 60, to + 17);
  to += kTimeFrame.size();
  if (fraction != 0) {
    *to = '.';
    auto rest = static_cast<std::uint64_t>(fraction);
    for (int digit = 9; digit > 0; --digit) {
      to[digit] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    }
    to += 10;
    while (to[-1] == '0') --to;
  }
  *to = 'Z';
  return to + 1;
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  while (true) {
    const std::size_t plain = plain_bytes(text);
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t bytes = utf8_sequence_bytes(text);
    if (bytes == 0) {
      out += "\\ufffd";
    } else if (text.starts_with("\u2028") || text.starts_with("\u2029")) {
      out += text[2] == '\xA8' ? "\\u2028" : "\\u2029";
    } else if (!append_escape(first, out)) {
      out += text.substr(0, bytes);
    }
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  out += '"';
}

std::string to_text(const model::Address& address) {
  char text[kAddressBytesMax];
  return {text, put_address(address, text)};
}

std::string to_text(const model::Endpoint& endpoint) {
  char text[kEndpointBytesMax];
  return {text, put_endpoint(endpoint, text)};
}

std::string time_text(std::int64_t unix_ns) {
  char text[kTimeBytesMax];
  return {text, put_time(unix_ns, text)};
}

}  // namespace flowtally::record
