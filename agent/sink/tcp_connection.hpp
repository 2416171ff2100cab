// This file is a connection that bytes are written to and that answers nothing: TCP, or TLS over it, by
// libcurl, which does names, time-outs and certificates. It knows what the other end's TCP has taken.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "model/sink_settings.hpp"

namespace flowtally::sink {

struct TcpAddress {
  std::string host{};
  std::uint16_t port = 0;
};

/// "host:port", "[2001:db8::1]:port".
[[nodiscard]] base::Result<TcpAddress> parse_tcp_address(std::string_view text);

/// How far something went before it ended.
enum class TcpEnd : std::uint8_t {
  kDone,
  kBroken,   ///< the connection is of no use any more
  kRefused,  ///< by a certificate, ours or theirs: no matter of time
  kTimeOut,
  kStopped,
};

/// Belongs to one thread.
class TcpConnection {
 public:
  struct Options {
    TcpAddress address{};
    bool tls = false;
    model::TlsSettings tls_settings{};
    std::chrono::milliseconds timeout{30'000};
  };
  using Deadline = std::chrono::steady_clock::time_point;

  explicit TcpConnection(Options options);
  TcpConnection(const TcpConnection&) = delete;
  TcpConnection& operator=(const TcpConnection&) = delete;
  ~TcpConnection();

  /// Connects unless there is a connection that the other end has not closed meanwhile.
  [[nodiscard]] TcpEnd connect(Deadline deadline, const std::stop_token& stop);
  /// Writes all of it and waits until the other end's TCP has all of it and has not closed.
  [[nodiscard]] TcpEnd deliver(std::string_view bytes, Deadline deadline, const std::stop_token& stop);
  /// Of the last deliver(): how many bytes from its begin the other end's TCP is known to have. Over TLS all
  /// or none, because bytes of TLS are others.
  [[nodiscard]] std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  /// Why it was not kDone, for people.
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  void close();

 private:
  struct Curl;

  [[nodiscard]] TcpEnd write(std::string_view bytes, Deadline deadline, const std::stop_token& stop);
  /// Throws away what comes; false if the other end has closed, or the connection is broken.
  [[nodiscard]] bool alive();
  /// Reads how much is acknowledged, and then whether that was still to be believed.
  [[nodiscard]] bool look(std::uint64_t written);
  [[nodiscard]] TcpEnd broken(std::string why, TcpEnd end = TcpEnd::kBroken);
  void prepare(const std::string& name);

  const Options options_;
  std::unique_ptr<Curl> curl_{};
  int fd_ = -1;                ///< libcurl's
  std::uint64_t waiting_ = 0;  ///< bytes of TCP that are not acknowledged
  std::uint64_t acknowledged_ = 0;
  std::string failure_{};
};

}  // namespace flowtally::sink
