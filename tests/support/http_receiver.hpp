// This file is a receiver of HTTP requests for tests, which can fail in every way that servers and networks
// do.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "base/unique_fd.hpp"

namespace flowtally::test {

struct HttpHeard {
  std::string method{};
  std::string target{};
  std::string headers{};  ///< "Name: value" on lines
  std::string body{};     ///< not compressed any more
};

struct HttpSaid {
  enum class Fault : std::uint8_t {
    kNone,
    kSilence,     ///< the connection is closed without an answer, after the request was heard
    kReset,       ///< the same with a reset
    kHalfAnswer,  ///< it is closed in the middle of the answer's body
    kHang,        ///< nothing comes until the client goes
  };
  int status = 200;
  std::string headers{};  ///< lines with "\r\n" behind each
  std::string body{};
  Fault fault = Fault::kNone;
};

/// Listens on loopback while it lives. The handler is called by one thread at a time.
class HttpReceiver {
 public:
  using Handler = std::function<HttpSaid(const HttpHeard&)>;
  explicit HttpReceiver(Handler handler);
  HttpReceiver(const HttpReceiver&) = delete;
  HttpReceiver& operator=(const HttpReceiver&) = delete;
  ~HttpReceiver();

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// Nobody listens any more, and every connection is cut; then again, on the same port.
  void go_down();
  void come_up();

 private:
  void listen();
  void accept_all();
  void serve(int fd);
  [[nodiscard]] bool read_request(int fd, std::string& kept, HttpHeard& heard) const;

  Handler handler_;
  std::uint16_t port_ = 0;
  base::UniqueFd listening_;
  std::mutex mutex_;  ///< guards the list; and the handler, by calling_
  std::mutex calling_;
  std::list<int> connections_{};
  std::list<std::jthread> threads_{};
  std::atomic<bool> down_{false};
  std::jthread acceptor_{};
};

}  // namespace flowtally::test
