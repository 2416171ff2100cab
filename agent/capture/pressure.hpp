// This file listens to the ring buffer by which programs say that a generation is filling up.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "capture/program.hpp"

struct ring_buffer;

namespace flowtally::capture {

/// The ring buffer `pressure` of a program, which must outlive it. Not thread-safe.
class PressureSignal {
 public:
  [[nodiscard]] static base::Result<PressureSignal> open(const Program& program);

  /// Readable while signals wait.
  [[nodiscard]] int fd() const noexcept;
  /// Takes all waiting signals; true if one of them is about generation `active`. Others are late: their
  /// generation is already being drained.
  [[nodiscard]] bool take(std::uint32_t active) noexcept;

 private:
  struct Deleter {
    void operator()(ring_buffer* ring) const noexcept;
  };
  struct Seen {
    std::uint32_t active = 0;
    bool about_active = false;
  };

  PressureSignal() = default;

  std::unique_ptr<Seen> seen_ = std::make_unique<Seen>();  ///< on the heap: libbpf keeps its address
  std::unique_ptr<ring_buffer, Deleter> ring_;
};

}  // namespace flowtally::capture
