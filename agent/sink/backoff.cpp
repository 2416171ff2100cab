#include "sink/backoff.hpp"

#include <algorithm>
#include <random>

namespace flowtally::sink {
namespace {

using std::chrono::milliseconds;

/// A pause of nothing at all would be a loop.
constexpr milliseconds kShortest{10};
constexpr unsigned kDoublingsMax = 30;

milliseconds part_of(milliseconds time, double part) {
  return milliseconds(static_cast<milliseconds::rep>(static_cast<double>(time.count()) * part));
}

}  // namespace

Random system_random() {
  return [engine = std::mt19937_64(std::random_device{}()),
          spread = std::uniform_real_distribution<double>(0, 1)]() mutable { return spread(engine); };
}

milliseconds Backoff::after_failure(std::optional<milliseconds> asked_for) {
  const unsigned doublings = std::min(failures_, kDoublingsMax);
  failures_ = doublings + 1;
  const auto grown = milliseconds(settings_.first.count() << doublings);
  const milliseconds pause = part_of(std::min(grown, settings_.longest), random_());
  return std::max({pause, kShortest, asked_for.value_or(milliseconds(0))});
}

milliseconds Backoff::after_misconfiguration() {
  return std::max(part_of(settings_.longest, 0.5 + random_() / 2), kShortest);
}

}  // namespace flowtally::sink
