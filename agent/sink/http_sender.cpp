#include "sink/http_sender.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/check.hpp"
#include "sink/compress.hpp"

namespace flowtally::sink {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

/// How often a stop is looked at while a request waits.
constexpr int kLookMs = 50;
/// A receiver that asks for a longer pause is not heard: retries have a longest of their own.
constexpr std::chrono::hours kRetryAfterMax{1};
/// A connection that was idle for so long is not trusted any more.
constexpr long kIdleSeconds = 60;

struct EasyDeleter {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using Multi = std::unique_ptr<CURLM, MultiDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;

template <class T>
void set(CURL* easy, CURLoption option, T value) {
  FLOWTALLY_CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

void append(List& list, const std::string& header) {
  curl_slist* const shorter = list.release();  // becomes the head of the longer one
  list.reset(curl_slist_append(shorter, header.c_str()));
  FLOWTALLY_CHECK(list != nullptr);
}

base::Status readable(const std::string& path, const char* what) {
  if (path.empty() || ::access(path.c_str(), R_OK) == 0) return {};
  return fail(Error::from_errno(errno, fmt::format("read the {} {}", what, path)));
}

bool is_about_certificates(CURLcode code) noexcept {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH: return true;
    default: return false;
  }
}

/// A connection that was kept and that the other end had closed: the request did not reach anybody.
bool may_be_stale(CURLcode code) noexcept {
  return code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING;
}

}  // namespace

struct HttpSender::Inner {
  HttpSenderOptions options{};
  Easy easy{curl_easy_init()};
  Multi multi{curl_multi_init()};
  Compressor compressor{};
  HttpAnswer answer{};
  std::array<char, CURL_ERROR_SIZE> details{};

  static std::size_t take_body(char* data, std::size_t, std::size_t bytes, void* context) {
    std::string& body = static_cast<Inner*>(context)->answer.body;
    body.append(data, std::min(bytes, kAnswerBytesMax - body.size()));
    return bytes;
  }

  void prepare(const HttpRequest& request, std::string_view body, curl_slist* headers) {
    CURL* const to = easy.get();
    curl_easy_reset(to);
    details.front() = '\0';
    set(to, CURLOPT_ERRORBUFFER, details.data());
    set(to, CURLOPT_URL, request.url.c_str());
    set(to, CURLOPT_PROTOCOLS_STR, "http,https");
    set(to, CURLOPT_NOSIGNAL, 1L);
    set(to, CURLOPT_FOLLOWLOCATION, 0L);
    set(to, CURLOPT_HTTP09_ALLOWED, 0L);
    set(to, CURLOPT_TCP_KEEPALIVE, 1L);
    set(to, CURLOPT_MAXAGE_CONN, kIdleSeconds);
    set(to, CURLOPT_HTTPHEADER, headers);
    set(to, CURLOPT_TIMEOUT_MS, static_cast<long>(options.timeout.count()));
    set(to, CURLOPT_CONNECTTIMEOUT_MS,
        static_cast<long>(std::min(options.connect_timeout, options.timeout).count()));
    set(to, CURLOPT_WRITEFUNCTION, &Inner::take_body);
    set(to, CURLOPT_WRITEDATA, this);
    if (request.method == "POST" || !body.empty()) {
      set(to, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
      set(to, CURLOPT_POSTFIELDS, body.data());
    }
    if (request.method != "POST") set(to, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    set(to, CURLOPT_SSL_VERIFYPEER, options.tls.verify ? 1L : 0L);
    set(to, CURLOPT_SSL_VERIFYHOST, options.tls.verify ? 2L : 0L);
    if (!options.tls.ca_file.empty()) set(to, CURLOPT_CAINFO, options.tls.ca_file.c_str());
    if (!options.tls.cert_file.empty()) set(to, CURLOPT_SSLCERT, options.tls.cert_file.c_str());
    if (!options.tls.key_file.empty()) set(to, CURLOPT_SSLKEY, options.tls.key_file.c_str());
  }

  /// Nothing: the stop came.
  std::optional<CURLcode> perform(const std::stop_token& stop) {
    FLOWTALLY_CHECK(curl_multi_add_handle(multi.get(), easy.get()) == CURLM_OK);
    std::optional<CURLcode> result;
    while (!result && !stop.stop_requested()) {
      int running = 0;
      curl_multi_perform(multi.get(), &running);
      int left = 0;
      while (const CURLMsg* const message = curl_multi_info_read(multi.get(), &left)) {
        if (message->msg == CURLMSG_DONE) result = message->data.result;
      }
      if (!result) curl_multi_poll(multi.get(), nullptr, 0, kLookMs, nullptr);
    }
    curl_multi_remove_handle(multi.get(), easy.get());
    return result;
  }

  void read_answer(CURLcode result) {
    curl_off_t wait_s = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    curl_easy_getinfo(easy.get(), CURLINFO_RETRY_AFTER, &wait_s);
    if (wait_s > 0) {
      answer.retry_after = std::min<std::chrono::milliseconds>(std::chrono::seconds(wait_s), kRetryAfterMax);
    }
    if (result == CURLE_OK) return;
    // Half an answer is none: what it says of the batch may be in the other half.
    answer.status = 0;
    answer.tls_refused = is_about_certificates(result);
    answer.failure = curl_easy_strerror(result);
    // libcurl's own words, which name what did not match or could not be reached.
    if (details.front() != '\0') answer.failure += fmt::format(": {}", details.data());
    long sys_errno = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_OS_ERRNO, &sys_errno);
    if (sys_errno != 0) answer.failure += ": " + base::errno_text(static_cast<int>(sys_errno));
  }
};

HttpSender::HttpSender(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}
HttpSender::HttpSender(HttpSender&&) noexcept = default;
HttpSender& HttpSender::operator=(HttpSender&&) noexcept = default;
HttpSender::~HttpSender() = default;

base::Result<HttpSender> HttpSender::open(HttpSenderOptions options) {
  // Counted by libcurl and never given back: others in this process may use it.
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::pair<const std::string*, const char*> files[] = {{&options.tls.ca_file, "CA certificates"},
                                                              {&options.tls.cert_file, "client certificate"},
                                                              {&options.tls.key_file, "client's key"}};
  for (const auto& [path, what] : files) {
    if (auto there = readable(*path, what); !there) return fail(std::move(there.error()));
  }
  auto inner = std::make_unique<Inner>();
  inner->options = std::move(options);
  if (initialised != CURLE_OK || !inner->easy || !inner->multi) {
    return fail(Error(ErrorCode::kResource, "libcurl could not be set up"));
  }
  return HttpSender(std::move(inner));
}

HttpAnswer HttpSender::send(const HttpRequest& request, const std::stop_token& stop) {
  Inner& inner = *inner_;
  inner.answer = {};
  const auto body = inner.compressor.compress(request.body, request.compression);
  if (!body) {
    inner.answer.failure = body.error().text();
    return std::move(inner.answer);
  }
  List headers;
  append(headers, "Expect:");  // a body is not held back until the receiver says that it wants one
  for (const std::string& header : request.headers) append(headers, header);
  if (const auto encoding = content_encoding(request.compression); !encoding.empty())
    append(headers, fmt::format("Content-Encoding: {}", encoding));

  for (bool again = false;; again = true) {
    inner.answer = {};
    inner.prepare(request, *body, headers.get());
    const auto result = inner.perform(stop);
    if (!result) {
      inner.answer.stopped = true;
      inner.answer.failure = "stopped";
      break;
    }
    long connects = 0;
    curl_easy_getinfo(inner.easy.get(), CURLINFO_NUM_CONNECTS, &connects);
    inner.read_answer(*result);
    inner.answer.bytes_sent = body->size();
    if (again || connects > 0 || !may_be_stale(*result)) break;
  }
  return std::move(inner.answer);
}

}  // namespace flowtally::sink
