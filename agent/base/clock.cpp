#include "base/clock.hpp"

#include <ctime>

namespace flowtally::base {
namespace {

std::int64_t read_ns(clockid_t clock) noexcept {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Moment now() noexcept { return {.boot_ns = read_ns(CLOCK_BOOTTIME), .wall_ns = read_ns(CLOCK_REALTIME)}; }

}  // namespace flowtally::base
