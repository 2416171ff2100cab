#include "server/api/client.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <curl/curl.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace flowtally::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr long kAskSeconds = 60;

std::size_t take_body(char* data, std::size_t, std::size_t bytes, void* context) {
  auto& [response, keep] = *static_cast<std::pair<Response*, bool>*>(context);
  response->bytes += bytes;
  if (keep) response->body.append(data, bytes);
  return bytes;
}

std::size_t take_header(char* data, std::size_t, std::size_t bytes, void* context) {
  static_cast<Response*>(context)->headers.append(data, bytes);
  return bytes;
}

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

/// In the child: the descriptor as systemd passes it, then the program.
[[noreturn]] void run_server(std::vector<char*> argv, int in, int out, int listen_fd) {
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  if (listen_fd >= 0) {
    constexpr int kFirst = 3;
    if (listen_fd == kFirst) {
      ::fcntl(kFirst, F_SETFD, 0);
    } else {
      ::dup2(listen_fd, kFirst);
    }
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "1", 1);
  }
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

Response ask(const Ask& what) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(initialised);
  Response response;
  CURL* const easy = curl_easy_init();
  curl_slist* headers = nullptr;
  for (const std::string& header : what.headers) headers = curl_slist_append(headers, header.c_str());
  std::pair<Response*, bool> sink{&response, what.keep_body};
  const std::string url = what.socket.empty() ? what.target : "http://localhost" + what.target;
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  if (!what.socket.empty()) curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, what.socket.c_str());
  if (!what.encoding.empty()) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, what.encoding.c_str());
  if (what.head) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT, kAskSeconds);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &sink);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &response);
  response.whole = curl_easy_perform(easy) == CURLE_OK;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &response.status);
  curl_slist_free_all(headers);
  curl_easy_cleanup(easy);
  return response;
}

RawClient::RawClient(const std::string& socket) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(socket.size() < sizeof(address.sun_path));
  std::memcpy(address.sun_path, socket.data(), socket.size());
  REQUIRE(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
}

void RawClient::send(const std::string& text) const {
  static_cast<void>(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

bool RawClient::take(Clock::time_point deadline) {
  pollfd wait{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&wait, 1, milliseconds_until(deadline)) != 1) {
    late_ = true;
    return false;
  }
  std::array<char, 65536> part;
  const ssize_t bytes = ::recv(fd_.get(), part.data(), part.size(), 0);
  if (bytes <= 0) return false;
  text_.append(part.data(), static_cast<std::size_t>(bytes));
  return true;
}

bool RawClient::read_until(const std::string& text, std::chrono::seconds deadline) {
  const auto end = Clock::now() + deadline;
  while (text_.find(text) == std::string::npos) {
    if (!take(end)) return false;
  }
  return true;
}

void RawClient::wait_for_end(std::chrono::seconds deadline) {
  const auto end = Clock::now() + deadline;
  while (take(end)) continue;
  REQUIRE_FALSE(late_);
}

void RawClient::wait_for_hang_up(std::chrono::seconds deadline) const {
  pollfd wait{.fd = fd_.get(), .events = POLLRDHUP, .revents = 0};
  REQUIRE(::poll(&wait, 1, milliseconds_until(Clock::now() + deadline)) == 1);
}

ApiProcess::ApiProcess(const std::vector<std::string>& arguments, int listen_fd) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
  REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
  stdin_.reset(in[1]);
  const base::UniqueFd child_in(in[0]);
  base::UniqueFd child_out(out[1]);
  const base::UniqueFd said(out[0]);
  std::vector<char*> argv{const_cast<char*>(FLOWTALLY_API_SERVER)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) run_server(std::move(argv), in[0], out[1], listen_fd);
  child_out.reset();
  const auto deadline = Clock::now() + std::chrono::seconds(100);
  while (said_.find('\n') == std::string::npos) {
    pollfd wait{.fd = said.get(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&wait, 1, milliseconds_until(deadline)) == 1);
    std::array<char, 4096> part;
    const ssize_t bytes = ::read(said.get(), part.data(), part.size());
    if (bytes <= 0) break;
    said_.append(part.data(), static_cast<std::size_t>(bytes));
  }
}

ApiProcess::~ApiProcess() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

int ApiProcess::end() {
  stdin_.reset();
  int status = 0;
  REQUIRE(::waitpid(std::exchange(pid_, -1), &status, 0) > 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::uint64_t ApiProcess::status_number(const std::string& name) const {
  const base::UniqueFd file(
      ::open(("/proc/" + std::to_string(pid_) + "/status").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 8192> text{};
  REQUIRE(::read(file.get(), text.data(), text.size() - 1) > 0);
  const std::string_view all(text.data());
  const std::size_t at = all.find("\n" + name + ":");
  REQUIRE(at != std::string_view::npos);
  const std::size_t digits = all.find_first_of("0123456789", at + name.size() + 2);
  std::uint64_t number = 0;
  std::from_chars(all.data() + digits, all.data() + all.size(), number);
  return number;
}

}  // namespace flowtally::test
