#include "api/slots.hpp"

namespace flowtally::api {

Slot::~Slot() {
  if (from_ != nullptr) from_->give_back();
}

Slot Slots::take(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  const bool ready = changed_.wait_for(lock, wait, [this] { return free_ > 0 || closed_; });
  if (!ready || closed_) return {};
  --free_;
  return Slot(this);
}

void Slots::close() noexcept {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void Slots::give_back() noexcept {
  const std::lock_guard lock(mutex_);
  ++free_;
  changed_.notify_one();
}

}  // namespace flowtally::api
