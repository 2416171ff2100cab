// This file speaks HTTP with tailscaled over its Unix socket: one question at a time, and besides it one
// endless answer, the IPN bus. libcurl does HTTP; its multi interface waits for both and can be woken.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "identity/status_parser.hpp"

namespace flowtally::identity {

inline constexpr std::chrono::milliseconds kConnectTimeout{2'000};
inline constexpr std::chrono::milliseconds kAnswerTimeout{10'000};

struct LocalApiOptions {
  std::string socket{};                                         ///< path of the Unix socket
  std::chrono::milliseconds connect_timeout = kConnectTimeout;  ///< until the socket takes the connection
  std::chrono::milliseconds answer_timeout = kAnswerTimeout;    ///< until the answer is whole
  std::size_t answer_bytes_max = kAnswerBytesMax;
};

/// What became of a question.
struct Answer {
  /// The body of a 200. Its error says what to do where something can be done.
  base::Result<std::string> body;
  /// tailscaled, or what listens in its place, took the connection; without that it is away.
  bool reached = false;
  long http_status = 0;  ///< 0: no answer came
};

/// Not thread-safe but for wake(). Works in the network and mount namespace of the calling thread.
class LocalApi {
 public:
  /// Contacts nobody yet. kInvalidArgument: the path cannot be that of a socket.
  [[nodiscard]] static base::Result<LocalApi> open(LocalApiOptions options);
  LocalApi(LocalApi&&) noexcept;
  LocalApi& operator=(LocalApi&&) noexcept;
  LocalApi(const LocalApi&) = delete;
  LocalApi& operator=(const LocalApi&) = delete;
  ~LocalApi();

  /// Asks for /localapi/v0/NAME. One question at a time: busy() must be false.
  void get(const std::string& name);
  [[nodiscard]] bool busy() const noexcept;

  /// Opens the bus with this mask; watching() must be false.
  void watch(unsigned mask);
  [[nodiscard]] bool watching() const noexcept;

  /// What came of one wait.
  struct Turn {
    std::optional<Answer> answer{};     ///< of the question; busy() is false now
    std::uint64_t messages = 0;         ///< of the bus
    bool changed = false;               ///< one of them tells of a change
    std::optional<Answer> bus_ended{};  ///< always an error; watching() is false now
  };
  /// Waits until something came, somebody called wake(), or the time is over.
  [[nodiscard]] Turn wait(std::chrono::milliseconds timeout);
  /// Ends a wait(), or the next one. From any thread.
  void wake() noexcept;

 private:
  class Multi;  // libcurl stays out of this header
  explicit LocalApi(std::unique_ptr<Multi> multi) noexcept;
  std::unique_ptr<Multi> multi_;
};

}  // namespace flowtally::identity
