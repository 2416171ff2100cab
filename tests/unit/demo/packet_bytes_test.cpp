#include "demo/packet_bytes.hpp"

#include <random>
#include <vector>

#include "support/catch.hpp"

using namespace flowtally;

TEST_CASE("the Internet checksum is that of the example in RFC 1071") {
  const std::vector<std::uint8_t> bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  CHECK(demo::ones_sum(bytes) == 0xddf2);
}

TEST_CASE("the sum of any length is that of its words, an odd byte padded with zero") {
  std::mt19937 random(1071);
  for (std::size_t size = 0; size < 100; size++) {
    std::vector<std::uint8_t> bytes(size);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    std::uint16_t sum = 0;
    for (std::size_t at = 0; at < size; at++) {
      sum = demo::ones_add(sum, static_cast<std::uint16_t>(at % 2 == 0 ? bytes[at] << 8U : bytes[at]));
    }
    CHECK(demo::ones_sum(bytes) == sum);
  }
}

TEST_CASE("numbers are written in network byte order") {
  std::vector<std::uint8_t> bytes(6);
  demo::put32(bytes, 1, 0x01020304);
  CHECK(bytes == std::vector<std::uint8_t>{0, 1, 2, 3, 4, 0});
  CHECK(demo::get32(bytes, 1) == 0x01020304);
  CHECK(demo::get16(bytes, 2) == 0x0203);
}
