#include "cli/http.hpp"

#include <algorithm>
#include <cerrno>

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/un.h>

#include "base/check.hpp"
#include "cli/json.hpp"

namespace flowtally::cli {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

constexpr int kTickMs = 200;
/// In one read from the socket.
constexpr long kReadBytes = 128L * 1024;

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

Error connect_error(int sys_errno, const std::string& socket) {
  Error error =
      Error::from_errno(sys_errno == 0 ? EIO : sys_errno, fmt::format("ask the agent at {}", socket));
  switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
      return std::move(error).advise(
          "Start `flowtally run` (without --no-journal), or give the path of its socket with --socket");
    case ECONNREFUSED:
      return std::move(error).advise(
          "No agent listens on the socket: start `flowtally run`; `flowtally query --state-dir DIR` reads "
          "the "
          "journal without one");
    case EACCES:
    case EPERM:
      return std::move(error).advise(
          "Run this as root or as a member of the socket's group (`flowtally run --socket-group GROUP`)");
    case ETIMEDOUT:
    case EAGAIN: return std::move(error).advise("The agent takes no more connections at present: try again");
    default: return error;
  }
}

std::string encoded(const Question& question, CURL* easy) {
  std::string url = "http://localhost" + question.path;
  char separator = '?';
  for (const auto& [name, value] : question.parameters) {
    const std::unique_ptr<char, decltype(&curl_free)> text(
        curl_easy_escape(easy, value.data(), static_cast<int>(value.size())), curl_free);
    url += fmt::format("{}{}={}", std::exchange(separator, '&'), name, text ? text.get() : "");
  }
  return url;
}

/// What the agent says in an answer that is no 200.
Error refusal(long status, std::string_view body, const std::string& path) {
  const std::string said = message_of(body);
  if (status == 404 && said.starts_with("there is no such path")) {
    return Error(ErrorCode::kUnsupported, fmt::format("the agent does not know {}", path))
        .advise("It is older than this program: restart it with this version");
  }
  if (said.empty()) {
    return Error(ErrorCode::kCorrupt,
                 fmt::format("what listens on the socket answered with status {}", status))
        .advise("Give the socket of `flowtally run` with --socket");
  }
  // These two judge; elsewhere 503 means that all places are taken.
  if (status == 503 && (path == "/healthz" || path == "/readyz")) return {ErrorCode::kIo, said};
  if (status == 503) return Error(ErrorCode::kResource, "the agent is busy: " + said).advise("Try again");
  if (status == 400) return {ErrorCode::kInvalidArgument, said};
  if (status == 403) return {ErrorCode::kPermission, said};
  return {status == 404 ? ErrorCode::kNotFound : ErrorCode::kIo, said};
}

}  // namespace

class HttpClient::Transfer {
 public:
  static base::Result<std::unique_ptr<Transfer>> make(std::string socket, int stop_fd) {
    // Counted by libcurl and never given back: others in this process may use it.
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    std::unique_ptr<Transfer> transfer(new Transfer(std::move(socket), stop_fd));
    if (initialised != CURLE_OK || !transfer->multi_ || !transfer->easy_) {
      return fail(Error(ErrorCode::kResource, "libcurl could not be set up"));
    }
    return transfer;
  }

  Reply ask(const Question& question, const BodySink& sink, const std::function<void()>& tick) {
    sink_ = &sink;
    enough_ = false;
    refusal_.clear();
    List headers;
    for (const std::string& header : question.headers) {
      curl_slist* const shorter = headers.release();  // becomes the head of the longer one
      headers.reset(curl_slist_append(shorter, header.c_str()));
      FLOWTALLY_CHECK(headers != nullptr);
    }
    prepare(question, headers.get());
    FLOWTALLY_CHECK(curl_multi_add_handle(multi_.get(), easy_.get()) == CURLM_OK);
    const std::optional<CURLcode> code = wait(tick);
    Reply reply = code ? reply_of(*code, question) : Reply{.end = Reply::End::kStopped};
    curl_multi_remove_handle(multi_.get(), easy_.get());
    return reply;
  }

 private:
  Transfer(std::string socket, int stop_fd)
      : socket_(std::move(socket)), stop_fd_(stop_fd), easy_(curl_easy_init()), multi_(curl_multi_init()) {}

  void prepare(const Question& question, curl_slist* headers) {
    CURL* const easy = easy_.get();
    curl_easy_reset(easy);
    set(easy, CURLOPT_URL, encoded(question, easy).c_str());
    set(easy, CURLOPT_UNIX_SOCKET_PATH, socket_.c_str());
    set(easy, CURLOPT_PROXY, "");  // whatever the environment says
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    set(easy, CURLOPT_FORBID_REUSE, 1L);
    set(easy, CURLOPT_FRESH_CONNECT, 1L);
    set(easy, CURLOPT_BUFFERSIZE, kReadBytes);
    set(easy, CURLOPT_HTTPHEADER, headers);
    set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::chrono::milliseconds(kConnectWait).count()));
    if (question.idle_max.count() > 0) {
      set(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
      set(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(question.idle_max.count()));
    }
    if (question.method != "GET") set(easy, CURLOPT_CUSTOMREQUEST, question.method.c_str());
    if (!question.body.empty()) {
      set(easy, CURLOPT_POSTFIELDS, question.body.c_str());
      set(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(question.body.size()));
    }
    set(easy, CURLOPT_WRITEFUNCTION, &Transfer::take);
    set(easy, CURLOPT_WRITEDATA, this);
  }

  static std::size_t take(char* data, std::size_t, std::size_t bytes, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    long status = 0;
    curl_easy_getinfo(transfer.easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
      transfer.refusal_.append(data, std::min(bytes, kRefusalBytesMax - transfer.refusal_.size()));
      return bytes;
    }
    if ((*transfer.sink_)({data, bytes})) return bytes;
    transfer.enough_ = true;
    return 0;  // ends the transfer
  }

  /// Nothing: the stop came.
  std::optional<CURLcode> wait(const std::function<void()>& tick) {
    for (;;) {
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      int left = 0;
      while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg == CURLMSG_DONE) return message->data.result;
      }
      curl_waitfd stop{.fd = stop_fd_, .events = CURL_WAIT_POLLIN, .revents = 0};
      curl_multi_poll(multi_.get(), &stop, stop_fd_ < 0 ? 0 : 1, kTickMs, nullptr);
      if (stop.revents != 0) return std::nullopt;
      if (tick) tick();
    }
  }

  [[nodiscard]] Reply reply_of(CURLcode result, const Question& question) const {
    CURL* const easy = easy_.get();
    Reply reply;
    long sys_errno = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply.status);
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &sys_errno);
    if (enough_) {
      reply.end = Reply::End::kEnough;
    } else if (result == CURLE_COULDNT_CONNECT) {
      reply.end = Reply::End::kUnreachable;
      reply.error = connect_error(static_cast<int>(sys_errno), socket_);
    } else if (reply.status != 0 && reply.status != 200) {
      reply.end = Reply::End::kRefused;
      reply.error = refusal(reply.status, refusal_, question.path);
    } else if (result != CURLE_OK) {
      reply.end = Reply::End::kBroken;
      reply.error = broken(result, question);
    }
    return reply;
  }

  [[nodiscard]] Error broken(CURLcode result, const Question& question) const {
    switch (result) {
      case CURLE_OPERATION_TIMEDOUT:
        return Error(ErrorCode::kIo,
                     fmt::format("the agent said nothing for {} s", question.idle_max.count()))
            .advise("See its log");
      case CURLE_GOT_NOTHING:
        return Error(ErrorCode::kIo, "the agent closed the connection without an answer").advise("Try again");
      case CURLE_PARTIAL_FILE:
      case CURLE_RECV_ERROR:
      case CURLE_SEND_ERROR:
        return Error(ErrorCode::kIo, "the agent broke off its answer: it is not whole")
            .advise("Try again; if the agent still runs, its log says why");
      default:
        return Error(ErrorCode::kCorrupt,
                     fmt::format("what listens at {} does not speak HTTP as the agent does: {}", socket_,
                                 curl_easy_strerror(result)))
            .advise("Give the socket of `flowtally run` with --socket");
    }
  }

  std::string socket_;
  int stop_fd_;
  Easy easy_;
  Multi multi_;
  const BodySink* sink_ = nullptr;
  bool enough_ = false;
  std::string refusal_;
};

HttpClient::HttpClient(std::unique_ptr<Transfer> transfer) noexcept : transfer_(std::move(transfer)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

base::Result<HttpClient> HttpClient::open(std::string socket, int stop_fd) {
  constexpr std::size_t kPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;
  if (socket.empty() || socket.size() > kPathBytesMax) {
    return fail(Error(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no path of a socket", socket))
                    .advise(fmt::format("Give one of 1 to {} bytes", kPathBytesMax)));
  }
  auto transfer = Transfer::make(std::move(socket), stop_fd);
  if (!transfer) return fail(std::move(transfer.error()));
  return HttpClient(std::move(*transfer));
}

Reply HttpClient::ask(const Question& question, const BodySink& sink, const std::function<void()>& tick) {
  return transfer_->ask(question, sink, tick);
}

}  // namespace flowtally::cli
