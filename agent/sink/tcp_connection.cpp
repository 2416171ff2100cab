#include "sink/tcp_connection.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <linux/sockios.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>

namespace flowtally::sink {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How often a stop is looked for.
constexpr milliseconds kLook{50};
/// No event tells that TCP has everything: it is asked, after pauses that grow to this.
constexpr milliseconds kAskLongest{10};
/// What somebody who should say nothing may say between two looks.
constexpr int kNoiseReadsMax = 16;

struct EasyDeleter {
  void operator()(CURL* easy) const noexcept { ::curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const noexcept { ::curl_multi_cleanup(multi); }
};

bool is_certificate(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM ||
         code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CIPHER || code == CURLE_SSL_ISSUER_ERROR ||
         code == CURLE_SSL_PINNEDPUBKEYNOTMATCH;
}

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  ::curl_easy_setopt(easy, option, value);  // NOLINT(cppcoreguidelines-pro-type-vararg)
}

}  // namespace

base::Result<TcpAddress> parse_tcp_address(std::string_view text) {
  const auto wrong = [text] {
    return base::fail(base::Error(base::ErrorCode::kInvalidArgument,
                                  fmt::format("\"{}\" is not host:port or [address]:port", text)));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return wrong();
  TcpAddress address{.host = std::string(text.substr(0, colon))};
  const std::string_view port = text.substr(colon + 1);
  const auto read = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (read.ec != std::errc{} || read.ptr != port.data() + port.size() || address.port == 0) return wrong();
  const bool bracketed = address.host.starts_with('[') && address.host.ends_with(']');
  if (!bracketed && address.host.find_first_of(":[]") != std::string::npos) return wrong();
  if (address.host.find_first_of("/@?# \t\r\n") != std::string::npos) return wrong();
  return address;
}

/// The easy handle stays in the multi for as long as its connection lives.
struct TcpConnection::Curl {
  std::unique_ptr<CURLM, MultiDeleter> multi{::curl_multi_init()};
  std::unique_ptr<CURL, EasyDeleter> easy{::curl_easy_init()};
  std::array<char, CURL_ERROR_SIZE> why{};

  Curl() = default;
  Curl(const Curl&) = delete;
  Curl& operator=(const Curl&) = delete;
  ~Curl() { ::curl_multi_remove_handle(multi.get(), easy.get()); }
};

TcpConnection::TcpConnection(Options options) : options_(std::move(options)) {}

TcpConnection::~TcpConnection() = default;

void TcpConnection::close() {
  curl_.reset();
  fd_ = -1;
}

TcpEnd TcpConnection::broken(std::string why, TcpEnd end) {
  failure_ = std::move(why);
  close();
  return end;
}

void TcpConnection::prepare(const std::string& name) {
  CURL* const easy = curl_->easy.get();
  const std::string url = fmt::format("{}://{}", options_.tls ? "https" : "http", name);
  set(easy, CURLOPT_URL, url.c_str());
  set(easy, CURLOPT_CONNECT_ONLY, 1L);
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_NOPROXY, "*");
  set(easy, CURLOPT_QUICK_EXIT, 1L);
  set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  set(easy, CURLOPT_ERRORBUFFER, curl_->why.data());
  set(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);  // it is not HTTP
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  const model::TlsSettings& tls = options_.tls_settings;
  set(easy, CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
  set(easy, CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
  if (!tls.ca_file.empty()) set(easy, CURLOPT_CAINFO, tls.ca_file.c_str());
  if (!tls.cert_file.empty()) set(easy, CURLOPT_SSLCERT, tls.cert_file.c_str());
  if (!tls.key_file.empty()) set(easy, CURLOPT_SSLKEY, tls.key_file.c_str());
}

TcpEnd TcpConnection::connect(Deadline deadline, const std::stop_token& stop) {
  if (curl_ && alive()) return TcpEnd::kDone;
  close();
  curl_ = std::make_unique<Curl>();
  const std::string name = fmt::format("{}:{}", options_.address.host, options_.address.port);
  prepare(name);
  ::curl_multi_add_handle(curl_->multi.get(), curl_->easy.get());

  while (true) {
    int running = 0;
    ::curl_multi_perform(curl_->multi.get(), &running);
    int left = 0;
    if (const CURLMsg* const message = ::curl_multi_info_read(curl_->multi.get(), &left);
        message != nullptr) {
      const CURLcode code = message->data.result;
      if (code == CURLE_OK) break;
      const std::string why = curl_->why[0] != '\0' ? curl_->why.data() : ::curl_easy_strerror(code);
      return broken(fmt::format("{}: {}", name, why),
                    is_certificate(code) ? TcpEnd::kRefused : TcpEnd::kBroken);
    }
    if (stop.stop_requested()) return close(), TcpEnd::kStopped;
    if (steady_clock::now() >= deadline)
      return broken(fmt::format("{}: no connection in time", name), TcpEnd::kTimeOut);
    ::curl_multi_poll(curl_->multi.get(), nullptr, 0, static_cast<int>(kLook.count()), nullptr);
  }
  curl_socket_t socket = CURL_SOCKET_BAD;
  ::curl_easy_getinfo(curl_->easy.get(), CURLINFO_ACTIVESOCKET,
                      &socket);  // NOLINT(cppcoreguidelines-pro-type-vararg)
  fd_ = socket;
  return fd_ >= 0 ? TcpEnd::kDone : broken("no connection");
}

bool TcpConnection::alive() {
  std::array<char, 4096> noise{};
  for (int read = 0; read < kNoiseReadsMax; ++read) {
    std::size_t bytes = 0;
    const CURLcode code = ::curl_easy_recv(curl_->easy.get(), noise.data(), noise.size(), &bytes);
    if (code == CURLE_AGAIN) return true;
    if (code != CURLE_OK || bytes == 0) return false;
  }
  return true;
}

bool TcpConnection::look(std::uint64_t written) {
  int waiting = 0;
  const bool known = ::ioctl(fd_, SIOCOUTQ, &waiting) == 0;  // NOLINT(cppcoreguidelines-pro-type-vararg)
  // A reset empties the queue too, and would look like an acknowledgement.
  if (!known || !alive()) return false;
  waiting_ = static_cast<std::uint64_t>(std::max(waiting, 0));
  if (waiting_ == 0) {
    acknowledged_ = written;
  } else if (!options_.tls) {
    acknowledged_ = std::max(acknowledged_, written - std::min(waiting_, written));
  }
  return true;
}

TcpEnd TcpConnection::write(std::string_view bytes, Deadline deadline, const std::stop_token& stop) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    std::size_t taken = 0;
    const CURLcode code =
        ::curl_easy_send(curl_->easy.get(), bytes.data() + written, bytes.size() - written, &taken);
    if (code == CURLE_OK) {
      written += taken;
      continue;
    }
    if (code != CURLE_AGAIN) return broken(fmt::format("writing: {}", ::curl_easy_strerror(code)));
    if (stop.stop_requested()) return TcpEnd::kStopped;
    if (steady_clock::now() >= deadline) return broken("the receiver takes nothing", TcpEnd::kTimeOut);
    pollfd look_at{.fd = fd_, .events = POLLOUT, .revents = 0};
    ::poll(&look_at, 1, static_cast<int>(kLook.count()));
    if (!look(written)) return broken("the receiver has closed the connection");
    if (options_.tls) acknowledged_ = 0;
  }
  return TcpEnd::kDone;
}

TcpEnd TcpConnection::deliver(std::string_view bytes, Deadline deadline, const std::stop_token& stop) {
  acknowledged_ = 0;
  failure_.clear();
  if (const TcpEnd end = write(bytes, deadline, stop); end != TcpEnd::kDone) {
    if (end == TcpEnd::kStopped) close();  // in the middle of a message
    return end;
  }
  milliseconds pause{0};
  while (true) {
    if (!look(bytes.size())) return broken("the receiver has closed the connection");
    if (waiting_ == 0) return TcpEnd::kDone;
    if (stop.stop_requested()) return TcpEnd::kStopped;
    if (steady_clock::now() >= deadline) return broken("the receiver's TCP is silent", TcpEnd::kTimeOut);
    pollfd look_at{.fd = fd_, .events = POLLIN, .revents = 0};
    pause = std::min(pause * 2 + milliseconds(1), kAskLongest);
    ::poll(&look_at, 1, static_cast<int>(pause.count()));
  }
}

}  // namespace flowtally::sink
