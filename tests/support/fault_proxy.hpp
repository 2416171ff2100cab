// This file is a proxy between a stream and a server that is sound: what fails is the way between them.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"

struct ssl_ctx_st;

namespace flowtally::test {

struct SelfSigned;

/// What becomes of a connection, once some of its requests have passed.
enum class LinkFault : std::uint8_t {
  kRefused,         ///< it is reset before anything passes
  kBusy,            ///< its first request is answered with 503, and does not reach the server
  kTooMany,         ///< the same with 429 and Retry-After
  kResetInRequest,  ///< it is reset in the middle of a request
  kAnswerLost,      ///< the server has answered, and nobody hears it
  kHalfAnswer,      ///< it ends in the middle of an answer
  kHang,            ///< nothing passes any more, until the client goes
  kSlow,            ///< what passes is slow
};
inline constexpr std::array kLinkFaults{
    LinkFault::kRefused,    LinkFault::kBusy,       LinkFault::kTooMany, LinkFault::kResetInRequest,
    LinkFault::kAnswerLost, LinkFault::kHalfAnswer, LinkFault::kHang,    LinkFault::kSlow};

struct FaultProxyOptions {
  std::uint16_t to = 0;                    ///< of the server, on 127.0.0.1
  std::vector<LinkFault> faults{};         ///< each connection draws one; none: everything passes
  std::size_t sound_bytes = 0;             ///< of requests that pass before the fault, at most
  const SelfSigned* tls = nullptr;         ///< the client has to speak TLS, and sees this certificate
  const SelfSigned* client_tls = nullptr;  ///< and has to show this one
};

/// Listens on loopback while it lives.
class FaultProxy {
 public:
  explicit FaultProxy(FaultProxyOptions options);
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;
  ~FaultProxy();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// From now on connections, also those there are, only pass on.
  void be_sound();
  /// How often each fault came to pass, in the order of kLinkFaults.
  [[nodiscard]] std::array<int, kLinkFaults.size()> happened() const;

 private:
  struct Plan {
    LinkFault fault{};
    std::size_t after = 0;
  };
  class Link;

  void accept_all();
  [[nodiscard]] Plan draw();
  [[nodiscard]] bool sound() const;
  void note(LinkFault fault);

  const FaultProxyOptions options_;
  std::shared_ptr<ssl_ctx_st> context_{};
  std::uint16_t port_ = 0;
  base::UniqueFd listening_{};
  base::UniqueFd ended_{};  ///< readable: everything is to end

  mutable std::mutex mutex_;  // guards what follows
  std::mt19937 random_{7};    // NOLINT(cert-msc51-cpp): the same faults each time
  bool sound_ = false;
  std::array<int, kLinkFaults.size()> happened_{};

  std::list<std::jthread> links_{};  // of the acceptor alone
  std::jthread acceptor_{};
};

}  // namespace flowtally::test
