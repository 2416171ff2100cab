// This file sends HTTP requests, by libcurl: one connection that is kept, TLS as the settings say,
// compression, limits on what comes back, and an end within 100 ms when it is stopped.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/sink_settings.hpp"

namespace flowtally::sink {

struct HttpRequest {
  std::string method{"POST"};
  std::string url{};
  std::vector<std::string> headers{};  ///< "Name: value"; secrets may be in them, they are never shown
  std::string_view body{};
  model::Compression compression = model::Compression::kNone;  ///< of the body, with its Content-Encoding
};

struct HttpAnswer {
  long status = 0;     ///< 0: there was none, `failure` says why
  std::string body{};  ///< the first kAnswerBytesMax
  std::optional<std::chrono::milliseconds> retry_after{};
  std::string failure{};  ///< connecting, TLS, a time-out, a cut; without secrets
  bool stopped = false;
  bool tls_refused = false;      ///< a certificate: no matter of time
  std::uint64_t bytes_sent = 0;  ///< of the body as it was sent
};

inline constexpr std::size_t kAnswerBytesMax = std::size_t{8} << 20U;

struct HttpSenderOptions {
  model::TlsSettings tls{};
  std::chrono::milliseconds timeout{30'000};
  std::chrono::milliseconds connect_timeout{10'000};
};

/// Belongs to one thread.
class HttpSender {
 public:
  /// kNotFound, kInvalidArgument: a file of the TLS settings.
  [[nodiscard]] static base::Result<HttpSender> open(HttpSenderOptions options);
  HttpSender(HttpSender&&) noexcept;
  HttpSender& operator=(HttpSender&&) noexcept;
  ~HttpSender();

  /// Redirects are not followed. A connection that the receiver closed while it was idle is made anew once,
  /// at once.
  [[nodiscard]] HttpAnswer send(const HttpRequest& request, const std::stop_token& stop);

 private:
  struct Inner;
  explicit HttpSender(std::unique_ptr<Inner> inner);
  std::unique_ptr<Inner> inner_;
};

}  // namespace flowtally::sink
