// The arithmetic of include/flowtally/wire.h. The rows "as measured" are what a TUN with tailscaled's flags
// showed at the tc hook of a Linux 6.18, beside what Tailscale's own record counted.
#include "flowtally/wire.h"

#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace flowtally {
namespace {

struct Row {
  std::string name;
  ft_skb_size size;
  std::uint64_t packets;
  std::uint64_t bytes;
};

void check_rows(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO(row.name);
    const auto count = ft_wire_count_of(&row.size);
    CHECK(count.packets == row.packets);
    CHECK(count.bytes == row.bytes);
  }
}

ft_skb_size tcp(std::uint32_t len, std::uint32_t header_len, std::uint32_t gso_size,
                std::uint32_t gso_segs = 0, std::uint32_t wire_len = 0) {
  return {.len = len,
          .header_len = header_len,
          .gso_size = gso_size,
          .gso_segs = gso_segs,
          .wire_len = wire_len,
          .is_tcp = 1};
}

ft_skb_size other(std::uint32_t len, std::uint32_t header_len, std::uint32_t gso_size,
                  std::uint32_t gso_segs = 0, std::uint32_t wire_len = 0) {
  ft_skb_size size = tcp(len, header_len, gso_size, gso_segs, wire_len);
  size.is_tcp = 0;
  return size;
}

TEST_CASE("super-packets on ingress as measured: the kernel's own count is 0") {
  check_rows({{"TCP, 6,300 bytes of payload by 1,240", tcp(6340, 40, 1240), 6, 6540},
              {"TCP with timestamps, twice 1,228", tcp(2508, 52, 1228), 2, 2560},
              {"UDP, 1,520 bytes of payload by 500", other(1548, 28, 500), 4, 1632},
              {"ten segments of 1,000 bytes", tcp(10040, 40, 1000), 10, 10400}});
}

TEST_CASE("super-packets on egress as measured: formula and kernel agree") {
  check_rows(
      {{"UDP_SEGMENT, 1,720 bytes by 500", other(1748, 28, 500, 4, 1832), 4, 1832},
       {"TCP, five times 1,240", tcp(6240, 40, 1240, 5, 6400), 5, 6400},
       {"TCP, 2,800 bytes by 1,240", tcp(2840, 40, 1240, 3, 2920), 3, 2920},
       {"the largest seen, 65,304 bytes", tcp(65304, 52, 1228, 54, 65304 + 53 * 52), 54, 65304 + 53 * 52}});
}

TEST_CASE("ordinary packets are one packet of their length") {
  check_rows({{"38 bytes padded to 60", other(60, 28, 0), 1, 60},
              {"TCP that the kernel counts as one", tcp(1280, 40, 0, 1, 1280), 1, 1280},
              {"a count without a segment size says nothing", tcp(1280, 40, 0, 5, 9999), 1, 1280},
              {"an empty packet", other(0, 0, 0), 1, 0}});
}

TEST_CASE("TCP goes by its segment size, whatever the kernel counted") {
  check_rows({{"a stale count", tcp(6240, 40, 1240, 9, 9000), 5, 6400},
              {"a count of one", tcp(6240, 40, 1240, 1, 6240), 5, 6400}});
}

TEST_CASE("where the headers are not known the kernel's count is taken") {
  check_rows(
      {{"SCTP, whose segments are a list of skbs", other(2032, 0, FT_GSO_BY_FRAGS, 2, 2064), 2, 2064},
       {"the list marker beside a known header", other(2032, 32, FT_GSO_BY_FRAGS, 2, 2064), 2, 2064},
       {"the list marker beside TCP", tcp(2052, 52, FT_GSO_BY_FRAGS, 2, 2104), 2, 2104},
       {"SCTP on ingress", other(2032, 0, FT_GSO_BY_FRAGS), 1, 2032},
       {"IP in IP", other(2460, 0, 1200, 2, 2520), 2, 2520},
       {"IP in IP on ingress", other(2460, 0, 1200), 1, 2460},
       {"a count with a length below the packet's is not believed", other(2460, 0, 1200, 2, 2459), 1, 2460}});
}

TEST_CASE("a tunnel in UDP has the kernel's count, since inner headers are repeated too") {
  check_rows({{"other segments", other(2118, 28, 1000, 2, 2236), 2, 2236},
              {"as many segments, more bytes", other(1918, 28, 1000, 2, 2036), 2, 2036},
              {"without a length the formula is the better guess", other(2118, 28, 1000, 2, 0), 3, 2174},
              {"a length without the repeated headers is not more", other(1748, 28, 500, 4, 1748), 4, 1832}});
}

TEST_CASE("a packet without payload is one packet") {
  check_rows({{"headers only", tcp(40, 40, 1240), 1, 40},
              {"headers only, with a count", other(28, 28, 500, 2, 60), 2, 60},
              {"a header length behind the end", tcp(40, 60, 1240), 1, 40},
              {"one byte of payload", tcp(41, 40, 1240), 1, 41},
              {"just one segment", tcp(1280, 40, 1240), 1, 1280},
              {"one byte more than a segment", tcp(1281, 40, 1240), 2, 1321},
              {"segments of one byte", tcp(50, 40, 1), 10, 410}});
}

// Goal: no input divides by zero, counts no packet or loses bytes. Method: all combinations of border values.
TEST_CASE("whatever the skb says, there is a packet and no byte is lost") {
  const std::uint32_t borders[] = {0, 1, 27, 28, 40, 60, 1240, 0xfffe, 0xffff, 0x10000, 524288};
  for (const auto len : borders) {
    for (const auto header_len : borders) {
      for (const auto gso_size : borders) {
        for (const auto gso_segs : {0U, 1U, 2U, 65535U}) {
          for (const auto wire_len : borders) {
            for (const bool is_tcp : {false, true}) {
              const auto size = is_tcp ? tcp(len, header_len, gso_size, gso_segs, wire_len)
                                       : other(len, header_len, gso_size, gso_segs, wire_len);
              const auto count = ft_wire_count_of(&size);
              if (count.packets == 0 || count.bytes < len) FAIL("len " << len << " gso_size " << gso_size);
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace flowtally
