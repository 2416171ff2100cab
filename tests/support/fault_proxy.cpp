#include "support/fault_proxy.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string_view>

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/sink_receivers/listener.hpp"

namespace flowtally::test {
namespace {

constexpr std::size_t kPieceBytes = 16'384;
constexpr std::size_t kSlowBytes = 2'000;
constexpr int kSlowPauseMs = 2;
constexpr std::size_t kSlowBytesMax = 100'000;  // then it ends, so that the next one draws

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void reset_on_close(int fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

std::shared_ptr<SSL_CTX> context_of(const FaultProxyOptions& options) {
  if (options.tls == nullptr) return {};
  std::shared_ptr<SSL_CTX> context(::SSL_CTX_new(::TLS_server_method()), ::SSL_CTX_free);
  ::SSL_CTX_use_certificate(context.get(), options.tls->certificate.get());
  ::SSL_CTX_use_PrivateKey(context.get(), options.tls->key.get());
  if (options.client_tls != nullptr) {
    ::X509_STORE_add_cert(::SSL_CTX_get_cert_store(context.get()), options.client_tls->certificate.get());
    ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

}  // namespace

/// One connection of a client and its connection to the server.
class FaultProxy::Link {
 public:
  Link(FaultProxy& proxy, base::UniqueFd client, Plan plan)
      : proxy_(proxy), client_(std::move(client)), plan_(plan), tls_(nullptr, ::SSL_free) {}

  void run() {
    if (faults() && plan_.fault == LinkFault::kRefused) return fail(LinkFault::kRefused);
    if (proxy_.context_ && !begin_tls()) return;
    if (faults() && (plan_.fault == LinkFault::kBusy || plan_.fault == LinkFault::kTooMany)) return answer();
    server_ = base::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(proxy_.options_.to);
    if (::connect(server_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return reset_on_close(client_.get());
    while (pass_one()) {
    }
  }

 private:
  [[nodiscard]] bool faults() const { return !proxy_.options_.faults.empty() && !proxy_.sound(); }
  [[nodiscard]] bool due(LinkFault fault) const {
    return plan_.fault == fault && asked_ > plan_.after && faults();
  }
  void fail(LinkFault fault) {
    proxy_.note(fault);
    reset_on_close(client_.get());
    if (server_.valid()) reset_on_close(server_.get());
  }

  bool begin_tls() {
    tls_.reset(::SSL_new(proxy_.context_.get()));
    ::SSL_set_fd(tls_.get(), client_.get());
    return ::SSL_accept(tls_.get()) == 1;
  }
  /// 0 or less: the client has gone.
  ssize_t read_client(char* to, std::size_t size) {
    return tls_ ? ::SSL_read(tls_.get(), to, static_cast<int>(size)) : ::recv(client_.get(), to, size, 0);
  }
  bool write_client(std::string_view text) {
    if (!tls_) return send_all(client_.get(), text);
    return text.empty() || ::SSL_write(tls_.get(), text.data(), static_cast<int>(text.size())) > 0;
  }

  /// In place of the server, which hears nothing.
  void answer() {
    if (read_client(piece_.data(), piece_.size()) <= 0) return;
    proxy_.note(plan_.fault);
    const bool busy = plan_.fault == LinkFault::kBusy;
    static_cast<void>(write_client(
        busy ? "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy"
             : "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nConnection: close\r\n"
               "Content-Length: 5\r\n\r\nlater"));
    if (tls_) ::SSL_shutdown(tls_.get());
    ::shutdown(client_.get(), SHUT_WR);
    until_client_goes();
  }
  void until_client_goes() {
    do {
      if (!wait_for(client_.get())) return;
    } while (::recv(client_.get(), piece_.data(), piece_.size(), 0) > 0);
  }
  /// False: everything is to end.
  [[nodiscard]] bool wait_for(int fd) const {
    std::array<pollfd, 2> waits{{{.fd = fd, .events = POLLIN, .revents = 0},
                                 {.fd = proxy_.ended_.get(), .events = POLLIN, .revents = 0}}};
    ::poll(waits.data(), waits.size(), -1);
    return waits[1].revents == 0;
  }

  /// False: the connection is at its end.
  bool pass_one() {
    std::array<pollfd, 3> waits{{{.fd = client_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = server_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = proxy_.ended_.get(), .events = POLLIN, .revents = 0}}};
    const bool pending = tls_ && ::SSL_pending(tls_.get()) > 0;
    ::poll(waits.data(), waits.size(), pending ? 0 : -1);
    if (waits[2].revents != 0) return false;
    if (waits[1].revents != 0) return pass_answer();
    return waits[0].revents == 0 && !pending ? true : pass_request();
  }

  bool pass_request() {
    const ssize_t got = read_client(piece_.data(), piece_.size());
    if (got <= 0) return false;
    const std::string_view text(piece_.data(), static_cast<std::size_t>(got));
    asked_ += text.size();
    if (due(LinkFault::kResetInRequest)) {
      static_cast<void>(send_all(server_.get(), text.substr(0, text.size() / 2)));
      fail(LinkFault::kResetInRequest);
      return false;
    }
    if (due(LinkFault::kHang)) {
      proxy_.note(LinkFault::kHang);
      until_client_goes();
      return false;
    }
    if (!due(LinkFault::kSlow)) return send_all(server_.get(), text);
    proxy_.note(LinkFault::kSlow);
    if (asked_ > plan_.after + kSlowBytesMax) return false;
    for (std::size_t at = 0; at < text.size(); at += kSlowBytes) {
      if (!send_all(server_.get(), text.substr(at, kSlowBytes))) return false;
      ::poll(nullptr, 0, kSlowPauseMs);
    }
    return true;
  }

  bool pass_answer() {
    const ssize_t got = ::recv(server_.get(), piece_.data(), piece_.size(), 0);
    if (got <= 0) return false;
    const std::string_view text(piece_.data(), static_cast<std::size_t>(got));
    if (due(LinkFault::kAnswerLost)) {
      fail(LinkFault::kAnswerLost);
      return false;
    }
    if (due(LinkFault::kHalfAnswer)) {
      proxy_.note(LinkFault::kHalfAnswer);
      static_cast<void>(write_client(text.substr(0, text.size() / 2)));
      return false;
    }
    return write_client(text);
  }

  FaultProxy& proxy_;
  base::UniqueFd client_;
  const Plan plan_;
  base::UniqueFd server_{};
  std::unique_ptr<SSL, void (*)(SSL*)> tls_;
  std::size_t asked_ = 0;  ///< bytes of requests
  std::array<char, kPieceBytes> piece_{};
};

FaultProxy::FaultProxy(FaultProxyOptions options)
    : options_(std::move(options)),
      context_(context_of(options_)),
      listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      ended_(::eventfd(0, EFD_CLOEXEC)) {
  static_cast<void>(
      std::signal(SIGPIPE, SIG_IGN));  // OpenSSL's writes, and those of libcurl; as in the agent
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listening_.get(), any, size) != 0 || ::listen(listening_.get(), 64) != 0 ||
      ::getsockname(listening_.get(), any, &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::jthread([this] { accept_all(); });
}

FaultProxy::~FaultProxy() {
  ::eventfd_write(ended_.get(), 1);
  ::shutdown(listening_.get(), SHUT_RDWR);
}

void FaultProxy::accept_all() {
  for (;;) {
    base::UniqueFd client(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.valid()) break;
    links_.emplace_back(
        [this, plan = draw(), fd = client.release()] { Link(*this, base::UniqueFd(fd), plan).run(); });
  }
  links_.clear();
}

FaultProxy::Plan FaultProxy::draw() {
  const std::scoped_lock lock(mutex_);
  Plan plan;
  if (options_.faults.empty()) return plan;
  plan.fault = options_.faults[random_() % options_.faults.size()];
  plan.after = random_() % (options_.sound_bytes + 1);
  return plan;
}

void FaultProxy::be_sound() {
  const std::scoped_lock lock(mutex_);
  sound_ = true;
}

bool FaultProxy::sound() const {
  const std::scoped_lock lock(mutex_);
  return sound_;
}

void FaultProxy::note(LinkFault fault) {
  const std::scoped_lock lock(mutex_);
  ++happened_.at(static_cast<std::size_t>(fault));
}

std::array<int, kLinkFaults.size()> FaultProxy::happened() const {
  const std::scoped_lock lock(mutex_);
  return happened_;
}

}  // namespace flowtally::test
