#include "identity/local_api.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/un.h>

#include "base/check.hpp"
#include "identity/bus.hpp"

namespace flowtally::identity {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

/// Of an answer that is no 200, so much is shown.
constexpr std::size_t kShownBytesMax = 200;
/// In one read from the socket.
constexpr long kReadBytes = 256L * 1024;
/// The bus has a body of its own only where it was refused.
constexpr std::size_t kRefusalBytesMax = 4096;

struct EasyDeleter {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;

/// The first line of what the server said, for people.
std::string shown(std::string_view body) {
  body = body.substr(0, std::min(body.find_first_of("\r\n"), kShownBytesMax));
  std::string text(body);
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text.empty() ? "" : ": " + text;
}

Error connect_error(int sys_errno, const std::string& socket) {
  Error error =
      Error::from_errno(sys_errno == 0 ? EIO : sys_errno, fmt::format("connect to tailscaled at {}", socket));
  switch (sys_errno) {
    case ENOENT: return std::move(error).advise("Start tailscaled, or give the path of its socket");
    case EACCES:
    case EPERM:
      return std::move(error).advise("Run flowtally as a user who may open the socket, such as root");
    case ECONNREFUSED: return std::move(error).advise("Start tailscaled: nobody listens on the socket");
    default: return error;
  }
}

Error status_error(long status, std::string_view body) {
  Error error(status == 403 ? ErrorCode::kPermission : ErrorCode::kCorrupt,
              fmt::format("tailscaled answered with status {}{}", status, shown(body)));
  if (status != 403) return error;
  return std::move(error).advise(
      "Run flowtally as root or as tailscaled's operator (`tailscale set --operator=USER`)");
}

/// One transfer and what has arrived of it.
struct Transfer {
  Easy easy{};
  std::string name{};
  std::string body{};
  std::size_t body_bytes_max = 0;
  bool too_large = false;
  bool running = false;
};

std::size_t take_body(char* data, std::size_t, std::size_t bytes, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (bytes > transfer.body_bytes_max - transfer.body.size()) {
    transfer.too_large = true;
    return 0;  // ends the transfer
  }
  transfer.body.append(data, bytes);
  return bytes;
}

template <class T>
void set(CURL* easy, CURLoption option, T value) {
  FLOWTALLY_CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

}  // namespace

class LocalApi::Multi {
 public:
  static base::Result<std::unique_ptr<Multi>> open(LocalApiOptions options) {
    // Counted by libcurl and never given back: others in this process may use it.
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    std::unique_ptr<Multi> multi(new Multi(std::move(options)));
    if (initialised != CURLE_OK || multi->multi_ == nullptr || !multi->question_.easy || !multi->bus_.easy) {
      return fail(Error(ErrorCode::kResource, "libcurl could not be set up"));
    }
    return multi;
  }
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;
  ~Multi() {
    stop(question_);
    stop(bus_);
    if (multi_ != nullptr) curl_multi_cleanup(multi_);
  }

  void get(const std::string& name) {
    FLOWTALLY_CHECK(!question_.running);
    question_.body_bytes_max = options_.answer_bytes_max;
    start(question_, name, take_body, &question_);
    set(question_.easy.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(options_.answer_timeout.count()));
    add(question_);
  }

  void watch(unsigned mask) {
    FLOWTALLY_CHECK(!bus_.running);
    bus_.body_bytes_max = kRefusalBytesMax;
    reader_ = BusReader();
    start(bus_, fmt::format("watch-ipn-bus?mask={}", mask), take_bus, this);
    add(bus_);
  }

  Turn wait(std::chrono::milliseconds timeout) {
    turn_ = {};
    const std::uint64_t messages = reader_.messages();
    int running = 0;
    curl_multi_perform(multi_, &running);  // first, because what was just added has to begin
    collect();
    if (!turn_.answer && !turn_.bus_ended && !turn_.changed) {
      const auto bounded = std::clamp<std::int64_t>(timeout.count(), 0, 3'600'000);
      curl_multi_poll(multi_, nullptr, 0, static_cast<int>(bounded), nullptr);
      curl_multi_perform(multi_, &running);
      collect();
    }
    turn_.messages = reader_.messages() - messages;
    return std::exchange(turn_, {});
  }

  void wake() noexcept { curl_multi_wakeup(multi_); }
  [[nodiscard]] bool busy() const noexcept { return question_.running; }
  [[nodiscard]] bool watching() const noexcept { return bus_.running; }

 private:
  explicit Multi(LocalApiOptions options) : options_(std::move(options)), multi_(curl_multi_init()) {
    question_.easy.reset(curl_easy_init());
    bus_.easy.reset(curl_easy_init());
  }

  void start(Transfer& transfer, const std::string& name, curl_write_callback take, void* context) const {
    transfer.name = name;
    transfer.body.clear();
    transfer.too_large = false;
    CURL* const easy = transfer.easy.get();
    curl_easy_reset(easy);
    // The host is the one name that tailscaled takes; it is not looked up.
    set(easy, CURLOPT_URL, ("http://local-tailscaled.sock/localapi/v0/" + name).c_str());
    set(easy, CURLOPT_UNIX_SOCKET_PATH, options_.socket.c_str());
    set(easy, CURLOPT_PROXY, "");  // whatever the environment says
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy, CURLOPT_BUFFERSIZE, kReadBytes);
    // Each question has a connection of its own: they are cheap here, and one that was kept tells late that
    // tailscaled has gone.
    set(easy, CURLOPT_FORBID_REUSE, 1L);
    set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    set(easy, CURLOPT_WRITEFUNCTION, take);
    set(easy, CURLOPT_WRITEDATA, context);
    set(easy, CURLOPT_PRIVATE, &transfer);
  }

  void add(Transfer& transfer) {
    FLOWTALLY_CHECK(curl_multi_add_handle(multi_, transfer.easy.get()) == CURLM_OK);
    transfer.running = true;
  }

  void stop(Transfer& transfer) {
    if (!transfer.running) return;
    curl_multi_remove_handle(multi_, transfer.easy.get());
    transfer.running = false;
  }

  static std::size_t take_bus(char* data, std::size_t size, std::size_t bytes, void* context) {
    auto& multi = *static_cast<Multi*>(context);
    long status = 0;
    curl_easy_getinfo(multi.bus_.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) return take_body(data, size, bytes, &multi.bus_);
    if (multi.reader_.feed({data, bytes})) multi.turn_.changed = true;
    return bytes;
  }

  void collect() {
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      Transfer* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      Answer answer = answer_of(*transfer, message->data.result);
      stop(*transfer);  // the message is not valid after that
      if (transfer == &question_) {
        turn_.answer = std::move(answer);
      } else {
        if (answer.body) {
          answer.body =
              fail(Error(ErrorCode::kIo, "tailscaled closed its bus").during("GET " + transfer->name));
        }
        turn_.bus_ended = std::move(answer);
      }
    }
  }

  Answer answer_of(Transfer& transfer, CURLcode result) const {
    CURL* const easy = transfer.easy.get();
    long status = 0;
    long sys_errno = 0;
    curl_off_t connected_us = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &sys_errno);
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    // A connection over a Unix socket may take less than a microsecond: what broke tells as well.
    const bool broke_later =
        result == CURLE_GOT_NOTHING || result == CURLE_RECV_ERROR || result == CURLE_PARTIAL_FILE;
    const bool reached = result != CURLE_COULDNT_CONNECT && (connected_us > 0 || status != 0 || broke_later);
    Answer answer{.body = {}, .reached = reached, .http_status = status};
    if (!reached) {
      const int code = result == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : static_cast<int>(sys_errno);
      answer.body = fail(connect_error(code, options_.socket));
    } else if (result != CURLE_OK) {
      answer.body = fail(broken(transfer, result));
    } else if (status != 200) {
      answer.body = fail(status_error(status, transfer.body));
    } else {
      answer.body = std::move(transfer.body);
    }
    if (!answer.body) answer.body = fail(std::move(answer.body.error()).during("GET " + transfer.name));
    transfer.body = {};
    return answer;
  }

  /// tailscaled was there, but the answer is not whole.
  [[nodiscard]] Error broken(const Transfer& transfer, CURLcode result) const {
    if (transfer.too_large) {
      return {ErrorCode::kResource,
              fmt::format("tailscaled's answer is longer than {} bytes", transfer.body_bytes_max)};
    }
    switch (result) {
      case CURLE_OPERATION_TIMEDOUT:
        return Error::from_errno(ETIMEDOUT, fmt::format("tailscaled did not finish its answer within {} ms",
                                                        options_.answer_timeout.count()));
      case CURLE_GOT_NOTHING: return {ErrorCode::kIo, "tailscaled closed the connection without an answer"};
      case CURLE_PARTIAL_FILE:
      case CURLE_RECV_ERROR: return {ErrorCode::kIo, "tailscaled broke off its answer"};
      default:
        return {ErrorCode::kCorrupt,
                fmt::format("tailscaled's answer is not understood: {}", curl_easy_strerror(result))};
    }
  }

  LocalApiOptions options_;
  CURLM* multi_;  // before the transfers, which are taken out of it first
  Transfer question_{};
  Transfer bus_{};
  BusReader reader_{};
  Turn turn_{};
};

LocalApi::LocalApi(std::unique_ptr<Multi> multi) noexcept : multi_(std::move(multi)) {}
LocalApi::LocalApi(LocalApi&&) noexcept = default;
LocalApi& LocalApi::operator=(LocalApi&&) noexcept = default;
LocalApi::~LocalApi() = default;

base::Result<LocalApi> LocalApi::open(LocalApiOptions options) {
  constexpr std::size_t kPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;
  const bool possible = !options.socket.empty() && options.socket.size() <= kPathBytesMax &&
                        options.socket.find('\0') == std::string::npos;
  if (!possible) {
    return fail(
        Error(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no path of a socket", options.socket))
            .advise(fmt::format("Give one of 1 to {} bytes, such as /var/run/tailscale/tailscaled.sock",
                                kPathBytesMax)));
  }
  auto multi = Multi::open(std::move(options));
  if (!multi) return fail(std::move(multi.error()));
  return LocalApi(std::move(*multi));
}

void LocalApi::get(const std::string& name) { multi_->get(name); }
bool LocalApi::busy() const noexcept { return multi_->busy(); }
void LocalApi::watch(unsigned mask) { multi_->watch(mask); }
bool LocalApi::watching() const noexcept { return multi_->watching(); }
LocalApi::Turn LocalApi::wait(std::chrono::milliseconds timeout) { return multi_->wait(timeout); }
void LocalApi::wake() noexcept { multi_->wake(); }

}  // namespace flowtally::identity
