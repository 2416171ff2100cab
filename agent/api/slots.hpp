// This file hands out places of which there are few, to threads that can wait a while for one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace flowtally::api {

class Slots;

/// One place, given back by the destructor. Empty: there was none. The Slots must outlive it.
class Slot {
 public:
  Slot() noexcept = default;
  explicit Slot(Slots* from) noexcept : from_(from) {}
  Slot(Slot&& other) noexcept : from_(std::exchange(other.from_, nullptr)) {}
  Slot& operator=(Slot&& other) noexcept {
    std::swap(from_, other.from_);
    return *this;
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot();

  [[nodiscard]] explicit operator bool() const noexcept { return from_ != nullptr; }

 private:
  Slots* from_ = nullptr;
};

/// Thread-safe.
class Slots {
 public:
  explicit Slots(unsigned count) : free_(count) {}

  /// Waits for a place, at most for `wait`. After close() there is none.
  [[nodiscard]] Slot take(std::chrono::milliseconds wait);
  void close() noexcept;

 private:
  friend class Slot;
  void give_back() noexcept;

  std::mutex mutex_;
  std::condition_variable changed_;
  unsigned free_;  // guarded by mutex_, as is closed_
  bool closed_ = false;
};

}  // namespace flowtally::api
