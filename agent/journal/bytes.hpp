// This file puts numbers into the journal's files and takes them out: little-endian, fixed sizes, no padding.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace flowtally::journal {

static_assert(std::endian::native == std::endian::little, "the files are little-endian, as both targets are");

/// Appends `value` to `out`.
template <std::integral Number>
void put(std::string& out, Number value) {
  char bytes[sizeof(Number)];
  std::memcpy(bytes, &value, sizeof(Number));
  out.append(bytes, sizeof(Number));
}

/// Reads numbers one after the other. Past the end it gives zeros and `ok()` turns false.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  template <std::integral Number>
  [[nodiscard]] Number take() {
    Number value{};
    if (bytes_.size() < sizeof(Number)) {
      ok_ = false;
      bytes_ = {};
      return value;
    }
    std::memcpy(&value, bytes_.data(), sizeof(Number));
    bytes_.remove_prefix(sizeof(Number));
    return value;
  }
  template <std::integral Number>
  void take(Number& value) {
    value = take<Number>();
  }
  void skip(std::size_t count) { bytes_.remove_prefix(count < bytes_.size() ? count : bytes_.size()); }
  [[nodiscard]] bool ok() const noexcept { return ok_; }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

/// xxh64, the checksum of everything in the journal. A seed binds the bytes to their place.
[[nodiscard]] std::uint64_t checksum(std::string_view bytes, std::uint64_t seed = 0) noexcept;

}  // namespace flowtally::journal
