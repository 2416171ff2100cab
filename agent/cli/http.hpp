// This file asks the agent over its Unix socket, by HTTP/1.1. Answers are handed on as they come; libcurl
// does the protocol.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace flowtally::cli {

/// Until the agent takes the connection; it may be waiting for a place.
inline constexpr std::chrono::seconds kConnectWait{15};
/// Without a byte of an answer that is made at once.
inline constexpr std::chrono::seconds kAnswerWait{30};
/// Of an answer that is no 200, so much is kept.
inline constexpr std::size_t kRefusalBytesMax = 4096;

struct Question {
  std::string method{"GET"};
  std::string body{};                                             ///< of a PUT or POST
  std::string path{};                                             ///< "/api/v1/status"
  std::vector<std::pair<std::string, std::string>> parameters{};  ///< as they are; they get encoded
  std::vector<std::string> headers{};                             ///< "Accept: text/event-stream"
  std::chrono::seconds idle_max = kAnswerWait;                    ///< without a byte; 0: any time
};

/// What became of a question.
struct Reply {
  enum class End : std::uint8_t {
    kWhole,        ///< all of a 200 was handed on
    kStopped,      ///< the stop came
    kEnough,       ///< the sink wanted no more
    kUnreachable,  ///< nobody took the connection
    kRefused,      ///< another status than 200
    kBroken,       ///< the answer broke off, or is none
  };
  End end = End::kWhole;
  long status = 0;  ///< 0: none came
  /// Of kUnreachable, kRefused and kBroken: with what to do.
  std::optional<base::Error> error{};
};

/// Takes a piece of the body of a 200; false: no more.
using BodySink = std::function<bool(std::string_view piece)>;

/// Not thread-safe. Each question has a connection of its own.
class HttpClient {
 public:
  /// Contacts nobody yet. kInvalidArgument: `socket` cannot be the path of one. `stop_fd` as in Console.
  [[nodiscard]] static base::Result<HttpClient> open(std::string socket, int stop_fd);
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  /// `tick` is called some times a second while this waits.
  [[nodiscard]] Reply ask(const Question& question, const BodySink& sink,
                          const std::function<void()>& tick = {});

 private:
  class Transfer;  // libcurl stays out of this header
  explicit HttpClient(std::unique_ptr<Transfer> transfer) noexcept;
  std::unique_ptr<Transfer> transfer_;
};

}  // namespace flowtally::cli
