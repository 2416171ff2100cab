#include "base/clock.hpp"

#include <chrono>

#include "support/catch.hpp"

namespace flowtally::base {
namespace {

TEST_CASE("the boot clock does not go back", "[unit]") {
  Moment last = now();
  for (int reading = 0; reading < 1000; ++reading) {
    const Moment next = now();
    CHECK(next.boot_ns >= last.boot_ns);
    last = next;
  }
}

TEST_CASE("the wall clock is that of the system, in nanoseconds since 1970", "[unit]") {
  const auto system_ns = [] {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const auto before = system_ns();
  const Moment moment = now();
  const auto after = system_ns();
  CHECK(moment.wall_ns >= before);
  CHECK(moment.wall_ns <= after);
}

}  // namespace
}  // namespace flowtally::base
