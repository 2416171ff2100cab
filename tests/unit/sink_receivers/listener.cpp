#include "unit/sink_receivers/listener.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace flowtally::test {
namespace {

/// Nothing here can fail but for want of memory or descriptors.
void must(bool done) {
  if (!done) std::abort();
}

sockaddr* generic(sockaddr_in& address) {
  return reinterpret_cast<sockaddr*>(&address);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
}

}  // namespace

SelfSigned::SelfSigned()
    : key(::EVP_EC_gen("P-256"), ::EVP_PKEY_free), certificate(::X509_new(), ::X509_free) {
  must(key != nullptr && certificate != nullptr);
  X509* const x = certificate.get();
  constexpr long kVersion3 = 2;
  constexpr long kHour = 3600;
  ::X509_set_version(x, kVersion3);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(x), 1);
  ::X509_gmtime_adj(::X509_getm_notBefore(x), -kHour);
  ::X509_gmtime_adj(::X509_getm_notAfter(x), kHour);
  ::X509_set_pubkey(x, key.get());
  X509_NAME* const name = ::X509_get_subject_name(x);
  const std::array<unsigned char, 5> words = {'t', 'e', 's', 't', 's'};
  ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, words.data(), words.size(), -1, 0);
  ::X509_set_issuer_name(x, name);
  X509_EXTENSION* const alternative =
      ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  must(alternative != nullptr);
  ::X509_add_ext(x, alternative, -1);
  ::X509_EXTENSION_free(alternative);
  must(::X509_sign(x, key.get(), ::EVP_sha256()) > 0);
}

std::string SelfSigned::pem() const {
  const std::unique_ptr<BIO, int (*)(BIO*)> out(::BIO_new(::BIO_s_mem()), ::BIO_free);
  must(::PEM_write_bio_X509(out.get(), certificate.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);  // NOLINT(cppcoreguidelines-pro-type-cstyle-cast)
  return {text, static_cast<std::size_t>(size)};
}

Listener::Listener(ListenerOptions options)
    : options_(options), reads_(options.reads), resets_(options.reset_after.has_value()) {
  socket_ = base::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  wake_ = base::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  must(socket_.valid() && wake_.valid());
  if (options_.receive_buffer > 0)
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &options_.receive_buffer,
                 sizeof options_.receive_buffer);
  sockaddr_in address{
      .sin_family = AF_INET, .sin_port = 0, .sin_addr = {.s_addr = ::htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof address;
  must(::bind(socket_.get(), generic(address), size) == 0 && ::listen(socket_.get(), 4) == 0 &&
       ::getsockname(socket_.get(), generic(address), &size) == 0);
  port_ = ::ntohs(address.sin_port);
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Listener::~Listener() {
  thread_.request_stop();
  ::eventfd_write(wake_.get(), 1);
}

void Listener::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> waits = {{{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                                    {.fd = wake_.get(), .events = POLLIN, .revents = 0}}};
    ::poll(waits.data(), waits.size(), -1);
    if (stop.stop_requested()) return;
    eventfd_t seen = 0;
    ::eventfd_read(wake_.get(), &seen);
    if ((waits[0].revents & POLLIN) == 0) continue;
    const base::UniqueFd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid()) continue;
    {
      const std::scoped_lock lock(mutex_);
      ++connections_;
      hang_up_ = false;
    }
    changed_.notify_all();
    serve(fd.get(), stop);
  }
}

void Listener::serve(int fd, const std::stop_token& stop) {
  const auto reset = [fd] {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  };
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(nullptr, ::SSL_CTX_free);
  std::unique_ptr<SSL, void (*)(SSL*)> tls(nullptr, ::SSL_free);
  if (options_.tls != nullptr) {
    context.reset(::SSL_CTX_new(::TLS_server_method()));
    ::SSL_CTX_use_certificate(context.get(), options_.tls->certificate.get());
    ::SSL_CTX_use_PrivateKey(context.get(), options_.tls->key.get());
    tls.reset(::SSL_new(context.get()));
    ::SSL_set_fd(tls.get(), fd);
    if (::SSL_accept(tls.get()) != 1) return;
  }
  std::size_t came = 0;
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> waits = {{{.fd = reads_ ? fd : -1, .events = POLLIN, .revents = 0},
                                    {.fd = wake_.get(), .events = POLLIN, .revents = 0}}};
    if (tls == nullptr || ::SSL_pending(tls.get()) == 0) ::poll(waits.data(), waits.size(), -1);
    eventfd_t seen = 0;
    ::eventfd_read(wake_.get(), &seen);
    {
      const std::scoped_lock lock(mutex_);
      if (hang_up_) {
        if (reset_) reset();
        return;
      }
    }
    if (!reads_ || (waits[0].revents == 0 && (tls == nullptr || ::SSL_pending(tls.get()) == 0))) continue;
    std::array<char, 4096> bytes{};
    const std::size_t room = resets_ ? std::min(bytes.size(), *options_.reset_after - came) : bytes.size();
    const ssize_t got = tls != nullptr ? ::SSL_read(tls.get(), bytes.data(), static_cast<int>(room))
                                       : ::recv(fd, bytes.data(), room, 0);
    if (got <= 0) return;
    came += static_cast<std::size_t>(got);
    {
      const std::scoped_lock lock(mutex_);
      text_.append(bytes.data(), static_cast<std::size_t>(got));
    }
    changed_.notify_all();
    if (resets_ && came >= *options_.reset_after) {
      resets_ = false;
      return reset();
    }
  }
}

std::string Listener::text() const {
  const std::scoped_lock lock(mutex_);
  return text_;
}

int Listener::connections() const {
  const std::scoped_lock lock(mutex_);
  return connections_;
}

bool Listener::wait_for(const std::string& text) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(20),
                           [&] { return text_.find(text) != std::string::npos; });
}

void Listener::hang_up(bool reset) {
  {
    const std::scoped_lock lock(mutex_);
    hang_up_ = true;
    reset_ = reset;
  }
  ::eventfd_write(wake_.get(), 1);
}

void Listener::read_on() {
  reads_ = true;
  ::eventfd_write(wake_.get(), 1);
}

}  // namespace flowtally::test
