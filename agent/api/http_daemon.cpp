// This file joins libmicrohttpd's callbacks to Request and Answer. A connection has a thread, so a body may
// wait while it is made, for the journal or for the next record. The library looks at the time of nothing:
// Connections does, because only here is it known whether the client or the answer is slow.
#include "api/http_daemon.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <sys/socket.h>

namespace flowtally::api {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using Phase = Connection::Phase;

/// Of an answer whose size is known, so much is made at once; of another one what the connection has room
/// for.
constexpr std::size_t kBlockBytes = std::size_t{32} << 10U;

/// A text, given out like any other body, so that a slow client is seen by the same rule.
class TextBody final : public Body {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)) { pieces_.add(text_); }
  base::Result<std::size_t> read(std::span<char> out) override { return pieces_.take(out); }

 private:
  std::string text_;
  Pieces pieces_;
};

/// A body on its way to a client.
struct Sending {
  std::unique_ptr<Body> body;
  Shared& shared;
  Connection* connection;

  static ssize_t read(void* context, std::uint64_t, char* out, std::size_t room) noexcept {
    auto& self = *static_cast<Sending*>(context);
    self.shared.connections.enter(self.connection, Phase::kWorking);
    ssize_t result = MHD_CONTENT_READER_END_WITH_ERROR;
    try {
      auto bytes = self.body ? self.body->read({out, room}) : base::Result<std::size_t>(0);
      if (bytes) result = *bytes == 0 ? MHD_CONTENT_READER_END_OF_STREAM : static_cast<ssize_t>(*bytes);
    } catch (const std::exception&) {  // no memory: this answer ends, the others go on
      result = MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (result == MHD_CONTENT_READER_END_WITH_ERROR) {
      self.shared.service.counts.answers_broken.fetch_add(1, std::memory_order_relaxed);
    }
    self.shared.connections.enter(self.connection, Phase::kSending);
    return result;
  }
  static void release(void* context) noexcept { delete static_cast<Sending*>(context); }
};

struct ResponseDeleter {
  void operator()(MHD_Response* response) const noexcept { MHD_destroy_response(response); }
};
using Response = std::unique_ptr<MHD_Response, ResponseDeleter>;

std::string header(MHD_Connection* http, const char* name) {
  const char* const value = MHD_lookup_connection_value(http, MHD_HEADER_KIND, name);
  return value == nullptr ? std::string() : std::string(value);
}

Connection* connection_of(MHD_Connection* http) noexcept {
  const MHD_ConnectionInfo* const info = MHD_get_connection_info(http, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info == nullptr ? nullptr : static_cast<Connection*>(info->socket_context);
}

/// Over the Unix socket a copy in memory is quicker than any compression.
void compress(Answer& answer, const Request& request) {
  if (request.caller.local || !answer.body || answer.content_type != kJsonType) return;
  answer.headers.emplace_back("Vary", "Accept-Encoding");
  if (!accepts(request.accept_encoding, "gzip")) return;
  auto gzip = gzip_body(std::move(answer.body));
  if (gzip) {
    answer.body = std::move(*gzip);
    answer.headers.emplace_back("Content-Encoding", "gzip");
  } else {
    answer = error_answer(gzip.error());
  }
}

}  // namespace

/// A request and its answer, from the first line to the last byte.
struct HttpDaemon::Exchange {
  Connection* connection = nullptr;
  Request request{};
  std::optional<Answer> fault{};  ///< what the target alone is worth
  bool begun = false;
};

struct HttpDaemon::Callbacks {
  static void notice(void* context, MHD_Connection* http, void** socket_context,
                     MHD_ConnectionNotificationCode code) noexcept {
    auto& self = *static_cast<HttpDaemon*>(context);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      const MHD_ConnectionInfo* const info = MHD_get_connection_info(http, MHD_CONNECTION_INFO_CONNECTION_FD);
      *socket_context = self.shared_.connections.add(info->connect_fd, self.listener_.local());
    } else if (*socket_context != nullptr) {
      self.shared_.connections.remove(static_cast<Connection*>(*socket_context));
      *socket_context = nullptr;
    }
  }

  static void* begin(void*, const char* uri, MHD_Connection* http) noexcept {
    auto exchange = std::make_unique<Exchange>();
    exchange->connection = connection_of(http);
    auto target = parse_target(uri);
    if (target) {
      exchange->request.target = std::move(*target);
    } else if (target.error().code() == ErrorCode::kResource) {
      exchange->fault = error_answer(414, target.error().text());
    } else {
      exchange->fault = error_answer(target.error());
    }
    return exchange.release();
  }

  static void end(void* context, MHD_Connection*, void** exchange, MHD_RequestTerminationCode) noexcept {
    auto& self = *static_cast<HttpDaemon*>(context);
    const std::unique_ptr<Exchange> done(static_cast<Exchange*>(std::exchange(*exchange, nullptr)));
    if (done && done->connection != nullptr)
      self.shared_.connections.enter(done->connection, Phase::kReading);
  }

  static MHD_Result handle(void* context, MHD_Connection* http, const char*, const char* method, const char*,
                           const char* data, std::size_t* upload_bytes, void** exchange) noexcept {
    auto& self = *static_cast<HttpDaemon*>(context);
    auto& current = *static_cast<Exchange*>(*exchange);
    try {
      if (!std::exchange(current.begun, true)) {
        read_headers(self, http, method, current);
        // The library comes again with what arrives, and once the request is whole. A body that does not
        // belong there is not waited for: it is refused.
        if (!current.request.has_body || takes_body(current.request)) return MHD_YES;
      }
      if (*upload_bytes > 0 && takes_body(current.request)) {
        take_body(current, {data, std::exchange(*upload_bytes, 0)});
        return MHD_YES;
      }
      *upload_bytes = 0;
      return send(self, http, current);
    } catch (const std::exception&) {  // no memory for this answer: the connection ends, the others go on
      return MHD_NO;
    }
  }

 private:
  static void read_headers(const HttpDaemon& self, MHD_Connection* http, const char* method,
                           Exchange& current) {
    Request& request = current.request;
    Connection* const connection = current.connection;
    request.method = method;
    request.caller = connection->caller;
    request.accept = header(http, MHD_HTTP_HEADER_ACCEPT);
    request.accept_encoding = header(http, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    request.authorization = header(http, MHD_HTTP_HEADER_AUTHORIZATION);
    request.last_event_id = header(http, "Last-Event-ID");
    const std::string length = header(http, MHD_HTTP_HEADER_CONTENT_LENGTH);
    request.has_body =
        (!length.empty() && length != "0") || !header(http, MHD_HTTP_HEADER_TRANSFER_ENCODING).empty();
    const MHD_ConnectionInfo* const info =
        MHD_get_connection_info(http, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    request.header_bytes = info == nullptr ? 0 : info->header_size;
    request.abandoned = [&shared = self.shared_, fd = connection->fd, local = request.caller.local] {
      return shared.stopping.load(std::memory_order_relaxed) || hung_up(fd, local);
    };
  }

  /// What is too much is thrown away as it comes: only then does the library let us answer.
  static void take_body(Exchange& current, std::string_view piece) {
    std::string& body = current.request.body;
    if (body.size() + piece.size() <= kBodyBytesMax) {
      body += piece;
    } else if (!current.fault) {
      current.fault = error_answer(413, fmt::format("the body has more than {} bytes", kBodyBytesMax));
    }
  }

  static Answer make_answer(const HttpDaemon& self, Exchange& current) {
    const Request& request = current.request;
    if (current.connection->refused) {
      Answer answer = busy_answer("you have too many connections open");
      answer.headers.emplace_back("Connection", "close");
      return answer;
    }
    if (self.token_ != nullptr && !self.token_->allows(request.authorization)) {
      self.shared_.service.counts.refused(Refusal::kUnauthorized);
      Answer answer = error_answer(401, "this needs the token: `Authorization: Bearer TOKEN`");
      answer.headers.emplace_back("WWW-Authenticate", "Basic realm=\"flowtally\"");
      return answer;
    }
    if (current.fault) return std::move(*current.fault);
    if (request.header_bytes > kHeaderBytesMax) {
      return error_answer(431, fmt::format("the headers have more than {} bytes", kHeaderBytesMax));
    }
    Answer answer = answer_request(self.shared_.service, request);
    compress(answer, request);
    return answer;
  }

  static MHD_Result send(const HttpDaemon& self, MHD_Connection* http, Exchange& current) {
    self.shared_.connections.enter(current.connection, Phase::kWorking);
    Answer answer = make_answer(self, current);
    Counts& counts = self.shared_.service.counts;
    counts.answers[std::min<std::size_t>(answer.status / 100, counts.answers.size() - 1)].fetch_add(
        1, std::memory_order_relaxed);
    // A text that is not there is a body whose size nobody knows, left out because only its head was asked
    // for.
    const bool sized = !answer.body && !answer.text.empty();
    const std::uint64_t size = sized ? answer.text.size() : MHD_SIZE_UNKNOWN;
    if (sized) answer.body = std::make_unique<TextBody>(std::move(answer.text));
    auto sending = std::make_unique<Sending>(std::move(answer.body), self.shared_, current.connection);
    const Response response(
        MHD_create_response_from_callback(size, kBlockBytes, Sending::read, sending.get(), Sending::release));
    if (!response) return MHD_NO;
    [[maybe_unused]] const Sending* const given = sending.release();  // the response has it
    MHD_add_response_header(response.get(), MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type.c_str());
    for (const auto& [name, value] : answer.headers) {
      MHD_add_response_header(response.get(), name.c_str(), value.c_str());
    }
    self.shared_.connections.enter(current.connection, Phase::kSending);
    return MHD_queue_response(http, answer.status, response.get());
  }
};

base::Result<std::unique_ptr<HttpDaemon>> HttpDaemon::start(Listener listener, Shared& shared,
                                                            const Token* token) {
  std::unique_ptr<HttpDaemon> self(new HttpDaemon(std::move(listener), shared, token));
  const Limits& limits = shared.service.limits;
  const bool local = self->listener_.local();
  // The library closes what it is given.
  base::UniqueFd listening(::fcntl(self->listener_.fd(), F_DUPFD_CLOEXEC, 0));
  if (!listening.valid()) return fail(Error::from_errno(errno, "duplicate a listening socket"));
  constexpr unsigned kFlags =
      MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC;
  HttpDaemon* const context = self.get();
  self->daemon_.reset(MHD_start_daemon(
      kFlags, 0, nullptr, nullptr, &Callbacks::handle, context,                          //
      MHD_OPTION_LISTEN_SOCKET, listening.get(),                                         //
      MHD_OPTION_CONNECTION_LIMIT, local ? limits.connections : limits.tcp_connections,  //
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionBytes,                              //
      MHD_OPTION_THREAD_STACK_SIZE, kThreadStackBytes,                                   //
      MHD_OPTION_STRICT_FOR_CLIENT, 1,                                                   //
      MHD_OPTION_NOTIFY_CONNECTION, &Callbacks::notice, static_cast<void*>(context),     //
      MHD_OPTION_URI_LOG_CALLBACK, &Callbacks::begin, static_cast<void*>(context),       //
      MHD_OPTION_NOTIFY_COMPLETED, &Callbacks::end, static_cast<void*>(context), MHD_OPTION_END));
  if (!self->daemon_) return fail(Error(ErrorCode::kResource, "the HTTP library could not start"));
  static_cast<void>(listening.release());
  return self;
}

HttpDaemon::~HttpDaemon() = default;

void HttpDaemon::Stopper::operator()(void* daemon) const noexcept {
  MHD_stop_daemon(static_cast<MHD_Daemon*>(daemon));
}

}  // namespace flowtally::api
