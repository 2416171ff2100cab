// This file makes addresses of texts, so that tests read as what they mean. A text that is none ends the
// test.
#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "model/address.hpp"
#include "model/address_text.hpp"

namespace flowtally::model {

/// An empty text is no address.
inline Address address(std::string_view text) {
  if (text.empty()) return {};
  const auto parsed = parse_address(text);
  if (!parsed) throw std::invalid_argument(std::string(text));
  return *parsed;
}

inline Prefix prefix(std::string_view text) {
  const auto parsed = parse_prefix(text);
  if (!parsed) throw std::invalid_argument(std::string(text));
  return *parsed;
}

inline Endpoint endpoint(std::string_view text) {
  const auto parsed = parse_endpoint(text);
  if (!parsed) throw std::invalid_argument(std::string(text));
  return *parsed;
}

inline std::vector<Address> addresses(std::initializer_list<std::string_view> texts) {
  std::vector<Address> list;
  for (const std::string_view text : texts) list.push_back(address(text));
  return list;
}

inline std::vector<Prefix> prefixes(std::initializer_list<std::string_view> texts) {
  std::vector<Prefix> list;
  for (const std::string_view text : texts) list.push_back(prefix(text));
  return list;
}

/// For what a failed test says.
inline std::string hex(const Address& address) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = address.family == Address::Family::kV6 ? "IPv6 " : "IPv4 ";
  for (std::size_t at = 0; at < (address.family == Address::Family::kV6 ? 16U : 4U); ++at) {
    text += kDigits[address.bytes[at] >> 4U];
    text += kDigits[address.bytes[at] & 15U];
  }
  return text;
}

}  // namespace flowtally::model
