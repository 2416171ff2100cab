// Goal: a table is never larger than --max-flows allows, never too small for what was there, and does not
// shrink for a short calm. Method: the cases that people think of one by one, then random windows against the
// promises of the header.
#include "capture/sizing.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <random>

#include "support/catch.hpp"

namespace flowtally::capture {
namespace {

constexpr std::uint32_t kAmple = 1U << 20U;
constexpr std::uint32_t kNoLimit = 0xFFFFFFFFU;

/// A table that has grown to `capacity`, a power of two of at least kFlowsMin.
Sizing grown_to(std::uint32_t capacity, std::uint32_t flows_max = kAmple) {
  Sizing sizing(flows_max);
  REQUIRE(sizing.after_window(capacity / 2, 0) == capacity);
  return sizing;
}

/// `windows` windows with nothing in them.
void rest(Sizing& sizing, std::uint32_t windows) {
  for (std::uint32_t window = 0; window < windows; ++window) sizing.after_window(0, 0);
}

TEST_CASE("a table begins small, and smaller still where --max-flows says so", "[unit]") {
  CHECK(Sizing(kAmple).capacity() == kFlowsMin);
  CHECK(Sizing(kFlowsMin).capacity() == kFlowsMin);
  CHECK(Sizing(kFlowsMin - 1).capacity() == kFlowsMin - 1);
  CHECK(Sizing(1).capacity() == 1);
}

TEST_CASE("the next table has at least twice the room that was used, as a power of two", "[unit]") {
  struct Case {
    std::uint32_t used;
    std::uint32_t capacity;
  };
  const auto row = GENERATE(Case{0, 1024}, Case{511, 1024}, Case{512, 1024}, Case{513, 2048},
                            Case{1024, 2048}, Case{1025, 4096}, Case{100000, 262144}, Case{524288, 1048576});
  Sizing sizing(kAmple);
  INFO(row.used);
  CHECK(sizing.after_window(row.used, 0) == row.capacity);
  CHECK(sizing.capacity() == row.capacity);
}

TEST_CASE("a table shrinks to what the largest of the small windows needs, not the last of them", "[unit]") {
  Sizing sizing = grown_to(65536);
  for (std::uint32_t window = 1; window < kShrinkAfterWindows; ++window) {
    CHECK(sizing.after_window(4000, 0) == 65536);
  }
  CHECK(sizing.after_window(0, 0) == 8192);
  rest(sizing, kShrinkAfterWindows - 1);
  CHECK(sizing.capacity() == 8192);
  CHECK(sizing.after_window(0, 0) == kFlowsMin);
}

TEST_CASE("after a refusal the next table is eight times as large, however many were refused", "[unit]") {
  const std::uint64_t refused = GENERATE(std::uint64_t{1}, std::uint64_t{1000}, ~std::uint64_t{0});
  Sizing sizing(kAmple);
  CHECK(sizing.after_window(10, refused) == 8 * kFlowsMin);
  CHECK(sizing.after_window(10, refused) == 64 * kFlowsMin);
}

TEST_CASE("after a refusal twice what was used counts, where that is more", "[unit]") {
  Sizing sizing(kAmple);
  CHECK(sizing.after_window(100000, 1) == 262144);
}

TEST_CASE("a limit that is no power of two is reached exactly and not passed", "[unit]") {
  Sizing sizing(5000);
  CHECK(sizing.after_window(2000, 0) == 4096);
  CHECK(sizing.after_window(2049, 0) == 5000);
  CHECK(sizing.after_window(5000, 1'000'000) == 5000);
}

TEST_CASE("a limit below the smallest table holds, whatever comes", "[unit]") {
  const std::uint32_t flows_max = GENERATE(1U, 16U, 1000U, 1023U);
  Sizing sizing(flows_max);
  CHECK(sizing.after_window(flows_max, 1'000'000) == flows_max);
  rest(sizing, 3 * kShrinkAfterWindows);
  CHECK(sizing.capacity() == flows_max);
}

TEST_CASE("the largest numbers there are do not overflow", "[unit]") {
  Sizing sizing(kNoLimit);
  CHECK(sizing.after_window(kNoLimit, 0) == kNoLimit);
  CHECK(sizing.after_window(kNoLimit, ~std::uint64_t{0}) == kNoLimit);
  rest(sizing, kShrinkAfterWindows);
  CHECK(sizing.capacity() == kFlowsMin);
}

TEST_CASE("a table shrinks with the last of the quiet windows in a row, not before", "[unit]") {
  Sizing sizing = grown_to(65536);
  rest(sizing, kShrinkAfterWindows - 1);
  CHECK(sizing.capacity() == 65536);
  rest(sizing, 1);
  CHECK(sizing.capacity() == kFlowsMin);
}

TEST_CASE("one busy window, or one with a refusal, begins the count of quiet ones again", "[unit]") {
  Sizing busy = grown_to(65536);
  rest(busy, kShrinkAfterWindows - 1);
  CHECK(busy.after_window(32768, 0) == 65536);
  rest(busy, kShrinkAfterWindows - 1);
  CHECK(busy.capacity() == 65536);
  rest(busy, 1);
  CHECK(busy.capacity() == kFlowsMin);

  Sizing refusing(65536);
  CHECK(refusing.after_window(65536, 1) == 65536);
  rest(refusing, kShrinkAfterWindows - 1);
  CHECK(refusing.after_window(0, 1) == 65536);
  rest(refusing, kShrinkAfterWindows - 1);
  CHECK(refusing.capacity() == 65536);
}

TEST_CASE("after a shrink the count of quiet windows begins again", "[unit]") {
  Sizing sizing = grown_to(65536);
  for (std::uint32_t window = 0; window < kShrinkAfterWindows; ++window) sizing.after_window(8192, 0);
  CHECK(sizing.capacity() == 16384);
  rest(sizing, kShrinkAfterWindows - 1);
  CHECK(sizing.capacity() == 16384);
  rest(sizing, 1);
  CHECK(sizing.capacity() == kFlowsMin);
}

TEST_CASE("a window for which half would not do keeps the table, for ever", "[unit]") {
  Sizing sizing = grown_to(65536);
  for (std::uint32_t window = 0; window < 5 * kShrinkAfterWindows; ++window) sizing.after_window(16385, 0);
  CHECK(sizing.capacity() == 65536);
}

TEST_CASE("less than one step down from an uneven limit is not worth a new table", "[unit]") {
  Sizing sizing(5000);
  REQUIRE(sizing.after_window(5000, 0) == 5000);
  for (std::uint32_t window = 0; window < 5 * kShrinkAfterWindows; ++window) sizing.after_window(2000, 0);
  CHECK(sizing.capacity() == 5000);  // 4096 would do
  for (std::uint32_t window = 0; window < kShrinkAfterWindows; ++window) sizing.after_window(1000, 0);
  CHECK(sizing.capacity() == 2048);
}

TEST_CASE("over random windows every promise of the header holds", "[unit]") {
  std::mt19937_64 random(20);  // NOLINT(cert-msc*): the same on every run
  for (int run = 0; run < 300; ++run) {
    const auto flows_max = std::max(1U, static_cast<std::uint32_t>(random()) >> (random() % 32U));
    Sizing sizing(flows_max);
    std::uint32_t quiet = 0;  // windows in a row for which half would have done
    const std::uint64_t mood = 1 + random() % 40;
    for (int window = 0; window < 400; ++window) {
      const std::uint32_t before = sizing.capacity();
      const bool calm = random() % mood != 0;
      const auto used = static_cast<std::uint32_t>(random() % (std::uint64_t{before} / (calm ? 64 : 1) + 1));
      const std::uint64_t refused = !calm && random() % 4 == 0 ? 1 + random() % 1000 : 0;
      const std::uint32_t after = sizing.after_window(used, refused);
      CAPTURE(run, window, flows_max, before, used, refused, after, quiet);
      REQUIRE(after == sizing.capacity());
      REQUIRE(after <= flows_max);
      REQUIRE(after >= std::min(kFlowsMin, flows_max));
      REQUIRE(after >= std::min<std::uint64_t>(std::uint64_t{used} * 2, flows_max));
      REQUIRE((after == flows_max || std::has_single_bit(after)));
      if (refused > 0) REQUIRE(after >= std::min<std::uint64_t>(std::uint64_t{before} * 8, flows_max));
      const std::uint64_t half = before / 2;
      const bool half_would_do = refused == 0 && half >= std::min(kFlowsMin, flows_max) &&
                                 std::bit_floor(half) >= std::uint64_t{used} * 2;
      quiet = half_would_do ? quiet + 1 : 0;
      REQUIRE((after < before) == (quiet == kShrinkAfterWindows));
      if (after != before) quiet = 0;
    }
  }
}

TEST_CASE("pressure is signalled at three quarters, rounded up, and never above the capacity", "[unit]") {
  STATIC_CHECK(pressure_mark(1024) == 768);
  STATIC_CHECK(pressure_mark(16) == 12);
  STATIC_CHECK(pressure_mark(5) == 4);
  STATIC_CHECK(pressure_mark(4) == 3);
  STATIC_CHECK(pressure_mark(3) == 3);
  STATIC_CHECK(pressure_mark(1) == 1);  // not 0: that would be pressure without a flow
  STATIC_CHECK(pressure_mark(0) == 0);
  STATIC_CHECK(pressure_mark(kNoLimit) == 3221225472U);
  for (std::uint32_t capacity = 1; capacity < 5000; ++capacity) {
    const std::uint32_t mark = pressure_mark(capacity);
    REQUIRE(mark <= capacity);
    REQUIRE(mark == (3 * capacity + 3) / 4);
  }
}

}  // namespace
}  // namespace flowtally::capture
