// This file is the other end of a syslog connection: it listens on loopback, over TCP or TLS, keeps what
// comes, and breaks off when it is told.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <openssl/ssl.h>

#include "base/unique_fd.hpp"

namespace flowtally::test {

/// A key and a certificate for 127.0.0.1 that signs itself.
struct SelfSigned {
  SelfSigned();
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key;
  std::unique_ptr<X509, void (*)(X509*)> certificate;
  [[nodiscard]] std::string pem() const;
};

struct ListenerOptions {
  const SelfSigned* tls = nullptr;
  bool reads = true;                         ///< false: takes connections and nothing else
  std::optional<std::size_t> reset_after{};  ///< of one connection: that many bytes, then a reset
  int receive_buffer = 0;                    ///< bytes; 0: the system's
};

class Listener {
 public:
  explicit Listener(ListenerOptions options = {});
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  /// All that came, of all connections in turn.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] int connections() const;
  /// False at the deadline of 20 s.
  [[nodiscard]] bool wait_for(const std::string& text) const;
  /// Ends the connection that is open; the next one is taken. `reset`: without a farewell.
  void hang_up(bool reset = false);
  /// From now on connections are read to their end.
  void read_on();

 private:
  void run(const std::stop_token& stop);
  void serve(int fd, const std::stop_token& stop);

  const ListenerOptions options_;
  base::UniqueFd socket_{};
  base::UniqueFd wake_{};  ///< readable: something was asked for
  std::uint16_t port_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable changed_;
  std::string text_{};
  int connections_ = 0;
  bool hang_up_ = false;
  bool reset_ = false;
  std::atomic<bool> reads_;
  std::atomic<bool> resets_;

  std::jthread thread_{};  // last: it uses the others
};

}  // namespace flowtally::test
