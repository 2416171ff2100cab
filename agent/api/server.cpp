#include "api/server.hpp"

#include <csignal>
#include <utility>

#include <fmt/format.h>
#include <malloc.h>

#include "api/http_daemon.hpp"
#include "base/check.hpp"

namespace flowtally::api {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

/// Threads that are made meanwhile take no signals.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

/// Of the whole process. By default each of many threads has an arena of its own, which keeps what the thread
/// has freed, and what was once large and freed is kept as well: after 200 clients at once the process had
/// 43 MB. With these it has 11 MB, and is as quick.
void return_memory() noexcept {
  constexpr int kArenas = 2;
  constexpr int kMappedFromBytes = 512 << 10;  // the buffers of a journal's frames
  mallopt(M_ARENA_MAX, kArenas);
  mallopt(M_MMAP_THRESHOLD, kMappedFromBytes);
}

/// The sockets that the options ask for: systemd's, or else the one at the path; and TCP.
base::Result<std::vector<Listener>> make_listeners(const ServerOptions& options) {
  std::vector<Listener> listeners;
  if (options.systemd_sockets) {
    auto passed = Listener::from_systemd();
    if (!passed) return fail(std::move(passed.error()));
    listeners = std::move(*passed);
  }
  if (listeners.empty()) {
    auto local = Listener::on_path(options.socket_path, options.socket_group);
    if (!local) return fail(std::move(local.error()));
    listeners.push_back(std::move(*local));
  }
  if (!options.tcp_address.empty()) {
    auto tcp = Listener::on_tcp(options.tcp_address, options.tcp_beyond_loopback);
    if (!tcp) return fail(std::move(tcp.error()));
    listeners.push_back(std::move(*tcp));
  }
  return listeners;
}

}  // namespace

struct Server::Inner {
  Inner(Source& source, const Limits& limits, Control* control) : shared(source, limits, control) {}

  Shared shared;
  std::optional<Token> token{};
  std::vector<std::unique_ptr<HttpDaemon>> daemons{};  // first to go
};

base::Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, Source& source,
                                                    Control* control) {
  const SignalsBlocked blocked;
  return_memory();
  auto inner = std::make_unique<Inner>(source, options.limits, control);
  auto listeners = make_listeners(options);
  if (!listeners) return fail(std::move(listeners.error()).during("start the API"));
  for (const Listener& listener : *listeners) {
    if (listener.local() || inner->token) continue;
    if (options.token_file.empty()) {
      return fail(Error(ErrorCode::kInvalidArgument,
                        fmt::format("start the API: TCP on {} needs a token", listener.name()))
                      .advise("Give the path of a file that holds one"));
    }
    auto token = Token::load(options.token_file);
    if (!token) return fail(std::move(token.error()).during("start the API"));
    inner->token = std::move(*token);
  }
  for (Listener& listener : *listeners) {
    const Token* const needed = inner->token ? &*inner->token : nullptr;
    FLOWTALLY_CHECK(listener.local() || needed != nullptr);
    const Token* const token = listener.local() ? nullptr : needed;
    auto daemon = HttpDaemon::start(std::move(listener), inner->shared, token);
    if (!daemon) return fail(std::move(daemon.error()).during("start the API"));
    inner->daemons.push_back(std::move(*daemon));
  }
  return std::unique_ptr<Server>(new Server(std::move(inner)));
}

Server::Server(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}
Server::~Server() { stop(); }

void Server::stop() noexcept {
  inner_->shared.stopping = true;
  inner_->shared.service.close();
  inner_->daemons.clear();
}

std::vector<std::string> Server::addresses() const {
  std::vector<std::string> names;
  for (const auto& daemon : inner_->daemons) names.push_back(daemon->listener().name());
  return names;
}

std::uint16_t Server::tcp_port() const noexcept {
  for (const auto& daemon : inner_->daemons) {
    if (!daemon->listener().local()) return daemon->listener().port();
  }
  return 0;
}

}  // namespace flowtally::api
