// This file is one listening socket with libmicrohttpd behind it: the only place that sees that library. It
// makes a Request of what arrives, and sends the Answer.
#pragma once

#include <atomic>
#include <memory>

#include "api/connections.hpp"
#include "api/listener.hpp"
#include "api/routes.hpp"
#include "api/token.hpp"
#include "base/result.hpp"

namespace flowtally::api {

/// What the daemons of a server share. Outlives them.
struct Shared {
  Service service;
  Connections connections;
  std::atomic<bool> stopping{false};

  Shared(Source& source, const Limits& limits, Control* control)
      : service(source, limits, control), connections(limits, service.counts) {}
};

class HttpDaemon {
 public:
  /// Serves at once, with threads that have the signal mask of the calling one. With a token, whoever does
  /// not have it is answered with 401. `shared` and `token` must outlive the daemon.
  [[nodiscard]] static base::Result<std::unique_ptr<HttpDaemon>> start(Listener listener, Shared& shared,
                                                                       const Token* token);
  HttpDaemon(const HttpDaemon&) = delete;
  HttpDaemon& operator=(const HttpDaemon&) = delete;
  /// Cuts off what is under way and waits for the threads.
  ~HttpDaemon();

  [[nodiscard]] const Listener& listener() const noexcept { return listener_; }

 private:
  struct Callbacks;  // the library's side, in the source file
  struct Exchange;
  struct Stopper {
    void operator()(void* daemon) const noexcept;
  };

  HttpDaemon(Listener listener, Shared& shared, const Token* token)
      : listener_(std::move(listener)), shared_(shared), token_(token) {}

  Listener listener_;
  Shared& shared_;
  const Token* token_;
  std::unique_ptr<void, Stopper> daemon_;  // MHD_Daemon; last, so that its threads end first
};

}  // namespace flowtally::api
