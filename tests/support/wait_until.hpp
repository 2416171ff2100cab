// This file waits for what no event tells of.
#pragma once

#include <chrono>

#include <poll.h>

#include "support/catch.hpp"

namespace flowtally::test {

/// Looks every 10 ms; fails the test at the deadline.
template <class Done>
void wait_until(const Done& done, std::chrono::seconds deadline = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!done()) {
    REQUIRE(std::chrono::steady_clock::now() < end);
    ::poll(nullptr, 0, 10);
  }
}

}  // namespace flowtally::test
