// This file writes and reads the few kinds of protobuf field that OTLP has. Pure, header only: a few
// lines each, called for every attribute.
//
// Source: "Encoding", protobuf.dev. Fields are written in the order of their numbers and varints as short as
// can be, so that bytes can be compared with those of other writers.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace flowtally::sink::protobuf {

inline constexpr std::uint32_t kVarint = 0;
inline constexpr std::uint32_t kFixed64 = 1;
inline constexpr std::uint32_t kLength = 2;
inline constexpr std::uint32_t kFixed32 = 5;

inline void append_varint(std::uint64_t value, std::string& out) {
  while (value >= 0x80U) {
    out += static_cast<char>((value & 0x7fU) | 0x80U);
    value >>= 7U;
  }
  out += static_cast<char>(value);
}

inline void append_tag(std::uint32_t field, std::uint32_t wire, std::string& out) {
  append_varint((std::uint64_t{field} << 3U) | wire, out);
}

/// int64, bool, enum: two's complement.
inline void append_int(std::uint32_t field, std::int64_t value, std::string& out) {
  append_tag(field, kVarint, out);
  append_varint(std::bit_cast<std::uint64_t>(value), out);
}

inline void append_fixed64(std::uint32_t field, std::uint64_t value, std::string& out) {
  append_tag(field, kFixed64, out);
  for (unsigned byte = 0; byte < 8; ++byte) out += static_cast<char>((value >> (8U * byte)) & 0xffU);
}

inline void append_double(std::uint32_t field, double value, std::string& out) {
  append_fixed64(field, std::bit_cast<std::uint64_t>(value), out);
}

/// string, bytes, or a message that is written already.
inline void append_bytes(std::uint32_t field, std::string_view value, std::string& out) {
  append_tag(field, kLength, out);
  append_varint(value.size(), out);
  out += value;
}

/// A field as it is read. `bytes` is of the text that was read.
struct Field {
  std::uint32_t number = 0;
  std::uint32_t wire = 0;
  std::uint64_t value = 0;   ///< of a varint
  std::string_view bytes{};  ///< of a string or message
};

/// Takes a varint off the front.
[[nodiscard]] inline std::optional<std::uint64_t> take_varint(std::string_view& from) {
  constexpr unsigned kBytesMax = 10;
  std::uint64_t value = 0;
  for (unsigned byte = 0; byte < kBytesMax && byte < from.size(); ++byte) {
    const auto bits = static_cast<unsigned char>(from[byte]);
    value |= static_cast<std::uint64_t>(bits & 0x7fU) << (7U * byte);
    if ((bits & 0x80U) == 0) {
      from.remove_prefix(byte + 1);
      return value;
    }
  }
  return std::nullopt;
}

/// Takes a field off the front; nothing if it is none.
[[nodiscard]] inline std::optional<Field> take_field(std::string_view& from) {
  const auto tag = take_varint(from);
  if (!tag || *tag > UINT32_MAX) return std::nullopt;
  Field field{.number = static_cast<std::uint32_t>(*tag >> 3U),
              .wire = static_cast<std::uint32_t>(*tag & 7U)};
  std::size_t bytes = 0;
  if (field.wire == kVarint || field.wire == kLength) {
    const auto value = take_varint(from);
    if (!value) return std::nullopt;
    field.value = *value;
    if (field.wire == kLength) bytes = *value;
  } else if (field.wire == kFixed64) {
    bytes = 8;
  } else if (field.wire == kFixed32) {
    bytes = 4;
  } else {
    return std::nullopt;
  }
  if (bytes > from.size()) return std::nullopt;
  field.bytes = from.substr(0, bytes);
  from.remove_prefix(bytes);
  return field;
}

}  // namespace flowtally::sink::protobuf
