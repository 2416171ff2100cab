#include "sink/backoff.hpp"

#include <chrono>

#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using std::chrono::milliseconds;

constexpr model::RetrySettings kSettings{.first = milliseconds(500), .longest = milliseconds(60'000)};

}  // namespace

TEST_CASE("pauses double up to the longest, and begin anew after a success", "[unit]") {
  sink::Backoff backoff(kSettings, [] { return 0.999999; });
  milliseconds expected{500};
  for (int failure = 0; failure < 100; ++failure) {
    const milliseconds pause = backoff.after_failure(std::nullopt);
    CHECK(pause <= expected);
    CHECK(pause >= expected - milliseconds(2));
    expected = std::min(expected * 2, milliseconds(60'000));
  }
  backoff.succeeded();
  CHECK(backoff.after_failure(std::nullopt) <= milliseconds(500));
}

TEST_CASE("the jitter is full, and never no pause at all", "[unit]") {
  sink::Backoff backoff(kSettings, [] { return 0.0; });
  for (int failure = 0; failure < 10; ++failure)
    CHECK(backoff.after_failure(std::nullopt) == milliseconds(10));
}

TEST_CASE("a receiver that asks for a longer pause gets it", "[unit]") {
  sink::Backoff backoff(kSettings, [] { return 0.5; });
  CHECK(backoff.after_failure(milliseconds(7000)) == milliseconds(7000));
  CHECK(backoff.after_failure(milliseconds(1)) == milliseconds(500));
}

TEST_CASE("what is wrong with the configuration is tried slowly", "[unit]") {
  for (const double random : {0.0, 0.5, 0.99}) {
    sink::Backoff backoff(kSettings, [random] { return random; });
    const milliseconds pause = backoff.after_misconfiguration();
    CHECK(pause >= milliseconds(30'000));
    CHECK(pause <= milliseconds(60'000));
  }
}

}  // namespace flowtally::test
