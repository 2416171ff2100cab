#include "api/pushed_body.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace flowtally::api {
namespace {

class PushedBody final : public Body {
 public:
  explicit PushedBody(Pushing pushing) : pushing_(std::move(pushing)) {}
  PushedBody(const PushedBody&) = delete;
  PushedBody& operator=(const PushedBody&) = delete;
  ~PushedBody() override {
    {
      const std::lock_guard lock(mutex_);
      unwanted_ = true;
    }
    changed_.notify_all();
    stop_.request_stop();
    if (thread_.joinable()) thread_.join();
  }

  base::Status start() {
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
      return base::fail(base::Error(base::ErrorCode::kResource, error.what()).during("start a thread"));
    }
    std::unique_lock lock(mutex_);
    return wait_for_text(lock);
  }

  base::Result<std::size_t> read(std::span<char> out) override {
    std::unique_lock lock(mutex_);
    if (auto waited = wait_for_text(lock); !waited) return base::fail(std::move(waited.error()));
    if (text_.empty()) return 0;
    const std::size_t bytes = std::min(out.size(), text_.size() - taken_);
    std::memcpy(out.data(), text_.data() + taken_, bytes);
    taken_ += bytes;
    if (taken_ == text_.size()) {
      text_.clear();
      taken_ = 0;
      lock.unlock();
      changed_.notify_all();
    }
    return bytes;
  }

 private:
  /// Until there is a text, or the end.
  base::Status wait_for_text(std::unique_lock<std::mutex>& lock) {
    while (!changed_.wait_for(lock, kPushedLook, [this] { return ended_ || !text_.empty(); })) {
      if (pushing_.abandoned()) {
        return base::fail(base::Error(base::ErrorCode::kIo, "nobody waits for the answer any more"));
      }
    }
    if (text_.empty() && !result_) return base::fail(result_.error());
    return {};
  }

  void run() {
    base::Status result =
        pushing_.writer([this](std::string_view text) { return emit(text); }, stop_.get_token());
    {
      const std::lock_guard lock(mutex_);
      result_ = std::move(result);
      ended_ = true;
    }
    changed_.notify_all();
  }

  bool emit(std::string_view text) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock,
                  [&] { return unwanted_ || text_.empty() || text_.size() + text.size() <= kAheadBytesMax; });
    if (unwanted_) return false;
    text_ += text;
    lock.unlock();
    changed_.notify_all();
    return true;
  }

  Pushing pushing_;  // constant after construction
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;  // guarded by mutex_, as all that follows; taken up to taken_
  std::size_t taken_ = 0;
  bool ended_ = false;
  bool unwanted_ = false;
  base::Status result_{};
  std::thread thread_;  // joined by the destructor
};

}  // namespace

base::Result<std::unique_ptr<Body>> pushed_body(Pushing pushing) {
  auto body = std::make_unique<PushedBody>(std::move(pushing));
  if (auto started = body->start(); !started) return base::fail(std::move(started.error()));
  return body;
}

}  // namespace flowtally::api
