// This file walks over a line in the form that agent/record writes. A call that fails leaves the rest to the
// slow reader, so nothing here has to say what is wrong.
//
// Most of a line is numbers of few digits and of changing length: a loop over digits ends with a jump that
// the processor foresees badly, once for each number. So eight characters are looked at at once.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "model/address_text.hpp"

namespace flowtally::query {

class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : at_(text.data()), end_(text.data() + text.size()) {}

  [[nodiscard]] bool take(std::string_view literal) noexcept {
    if (left() < literal.size() || std::memcmp(at_, literal.data(), literal.size()) != 0) return false;
    at_ += literal.size();
    return true;
  }
  /// The same where the compiler knows the length: no call.
  template <std::size_t kSize>
  [[nodiscard]] bool take(const char (&literal)[kSize]) noexcept {
    if (left() < kSize - 1 || std::memcmp(at_, literal, kSize - 1) != 0) return false;
    at_ += kSize - 1;
    return true;
  }

  [[nodiscard]] bool take_one(char character) noexcept {
    if (at_ >= end_ || *at_ != character) return false;
    ++at_;
    return true;
  }

  /// The rest of a string without escapes, and its closing quote.
  [[nodiscard]] bool take_plain_string(std::string_view& text) noexcept {
    const void* const quote = std::memchr(at_, '"', left());
    if (quote == nullptr) return false;
    text = {at_, static_cast<std::size_t>(static_cast<const char*>(quote) - at_)};
    at_ += text.size() + 1;
    return text.find('\\') == std::string_view::npos;
  }

  /// A number without a sign and without leading zeros.
  [[nodiscard]] bool take_number(std::uint64_t& number) noexcept {
    if constexpr (std::endian::native == std::endian::little) {
      if (left() >= kWord) {
        const std::uint64_t digits = word(at_) ^ kZeros;  // a digit is its value, anything else more than 9
        const std::uint64_t others = ((digits + kAboveNine) | digits) & kHighBits;
        // Behind the first that is no digit a carry may tell wrongly, before it there is none.
        if (others != 0) return take_few_digits(digits, std::countr_zero(others) / 8, number);
      }
    }
    return take_digits(number);
  }

  /// The rest of a string that is an endpoint, and its closing quote.
  [[nodiscard]] bool take_endpoint(model::Endpoint& endpoint) noexcept {
    if (at_ < end_ && *at_ == '[') {
      std::string_view text;
      if (!take_plain_string(text)) return false;
      const auto parsed = model::parse_endpoint(text);
      if (parsed) endpoint = *parsed;
      return parsed.has_value();
    }
    endpoint = {};
    endpoint.address.family = model::Address::Family::kV4;
    for (std::size_t octet = 0; octet < 4; ++octet) {
      if (!take_octet(endpoint.address.bytes[octet]) || !take_one(octet < 3 ? '.' : ':')) return false;
    }
    std::uint64_t port = 0;
    if (!take_number(port) || port > std::numeric_limits<std::uint16_t>::max() || !take_one('"'))
      return false;
    endpoint.port = static_cast<std::uint16_t>(port);
    return true;
  }

  /// Passes over an object or array.
  [[nodiscard]] bool pass_brackets(std::string_view& text) noexcept;

 private:
  static constexpr std::size_t kWord = sizeof(std::uint64_t);
  static constexpr std::uint64_t kZeros = 0x3030303030303030;
  static constexpr std::uint64_t kAboveNine = 0x7676767676767676;
  static constexpr std::uint64_t kHighBits = 0x8080808080808080;

  [[nodiscard]] static std::uint64_t word(const char* at) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, at, kWord);
    return word;
  }
  [[nodiscard]] std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }

  /// The first `count` bytes of `digits`, at most seven: pairs of digits, then of pairs, then of fours.
  [[nodiscard]] bool take_few_digits(std::uint64_t digits, int count, std::uint64_t& number) noexcept {
    if (count == 0 || (count > 1 && (digits & 0xffU) == 0)) return false;
    digits <<= static_cast<unsigned>(kWord) * 8 - static_cast<unsigned>(count) * 8;
    digits = digits * 10 + (digits >> 8U);
    constexpr std::uint64_t kPairs = 0x000000ff000000ff;
    constexpr std::uint64_t kHigh = 100 + (std::uint64_t{1'000'000} << 32U);
    constexpr std::uint64_t kLow = 1 + (std::uint64_t{10'000} << 32U);
    number = ((digits & kPairs) * kHigh + ((digits >> 16U) & kPairs) * kLow) >> 32U;
    at_ += count;
    return true;
  }
  [[nodiscard]] bool take_digits(std::uint64_t& number) noexcept;

  /// Neighbours have addresses of the same shape: here the jumps are foreseen.
  [[nodiscard]] bool take_octet(std::uint8_t& octet) noexcept {
    if (left() < 4) return false;
    const auto digit = [this](std::size_t at) { return static_cast<unsigned>(at_[at] - '0'); };
    unsigned value = digit(0);
    if (value > 9) return false;
    std::size_t count = 1;
    if (digit(1) <= 9) {
      if (value == 0) return false;
      value = value * 10 + digit(1);
      count = 2;
      if (digit(2) <= 9) {
        value = value * 10 + digit(2);
        count = 3;
      }
    }
    octet = static_cast<std::uint8_t>(value);
    at_ += count;
    return value <= 255;
  }

  const char* at_;
  const char* end_;
};

inline bool Scanner::take_digits(std::uint64_t& number) noexcept {
  const char* const begin = at_;
  std::uint64_t value = 0;
  while (at_ < end_ && *at_ >= '0' && *at_ <= '9') {
    value = value * 10 + static_cast<std::uint64_t>(*at_ - '0');
    ++at_;
  }
  number = value;
  constexpr std::ptrdiff_t kSureDigits = 19;  // more may not fit 64 bits
  return at_ > begin && at_ - begin <= kSureDigits && (*begin != '0' || at_ - begin == 1);
}

inline bool Scanner::pass_brackets(std::string_view& text) noexcept {
  const char* const begin = at_;
  int depth = 0;
  for (bool in_string = false; at_ < end_; ++at_) {
    if (in_string) {
      if (*at_ == '\\') {
        ++at_;
      } else if (*at_ == '"') {
        in_string = false;
      }
      continue;
    }
    if (*at_ == '"') in_string = true;
    if (*at_ == '{' || *at_ == '[') ++depth;
    if ((*at_ == '}' || *at_ == ']') && --depth == 0) {
      ++at_;
      text = {begin, static_cast<std::size_t>(at_ - begin)};
      return true;
    }
  }
  return false;
}

}  // namespace flowtally::query
