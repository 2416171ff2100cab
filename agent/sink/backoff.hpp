// This file says how long to wait before the next try: full jitter, so that many agents whose receiver comes
// back do not all come at once. Pure.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "model/sink_settings.hpp"

namespace flowtally::sink {

/// A number in [0, 1).
using Random = std::function<double()>;
[[nodiscard]] Random system_random();

class Backoff {
 public:
  Backoff(model::RetrySettings settings, Random random) : settings_(settings), random_(std::move(random)) {}

  /// Between nothing and first × 2^failures, at most `longest`; but not less than the receiver asks for.
  [[nodiscard]] std::chrono::milliseconds after_failure(std::optional<std::chrono::milliseconds> asked_for);
  /// Between half of `longest` and all of it: nobody changes a token within seconds.
  [[nodiscard]] std::chrono::milliseconds after_misconfiguration();
  void succeeded() noexcept { failures_ = 0; }

 private:
  model::RetrySettings settings_;
  Random random_;
  unsigned failures_ = 0;
};

}  // namespace flowtally::sink
