#include "unit/sink_receivers/http_answers.hpp"

#include <array>
#include <charconv>
#include <cstdlib>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace flowtally::test {
namespace {

void must(bool done) {
  if (!done) std::abort();
}

std::size_t body_size(const std::string& head) {
  constexpr std::string_view kName = "Content-Length: ";
  const std::size_t at = head.find(kName);
  std::size_t size = 0;
  if (at != std::string::npos)
    std::from_chars(head.data() + at + kName.size(), head.data() + head.size(), size);
  return size;
}

}  // namespace

HttpAnswers::HttpAnswers() {
  socket_ = base::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  wake_ = base::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  sockaddr_in address{
      .sin_family = AF_INET, .sin_port = 0, .sin_addr = {.s_addr = ::htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof address;
  auto* const generic =
      reinterpret_cast<sockaddr*>(&address);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
  must(::bind(socket_.get(), generic, size) == 0 && ::listen(socket_.get(), 4) == 0 &&
       ::getsockname(socket_.get(), generic, &size) == 0);
  port_ = ::ntohs(address.sin_port);
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

HttpAnswers::~HttpAnswers() {
  thread_.request_stop();
  ::eventfd_write(wake_.get(), 1);
}

void HttpAnswers::answer(std::string status, std::string body) {
  status_ = std::move(status);
  body_ = std::move(body);
}

void HttpAnswers::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> waits = {{{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                                    {.fd = wake_.get(), .events = POLLIN, .revents = 0}}};
    ::poll(waits.data(), waits.size(), -1);
    if ((waits[0].revents & POLLIN) == 0) continue;
    const base::UniqueFd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (fd.valid()) serve(fd.get());
  }
}

void HttpAnswers::serve(int fd) {
  std::string text;
  std::array<char, 65536> bytes{};
  while (true) {
    const std::size_t end = text.find("\r\n\r\n");
    if (end != std::string::npos && text.size() >= end + 4 + body_size(text.substr(0, end))) break;
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (got <= 0) return;
    text.append(bytes.data(), static_cast<std::size_t>(got));
  }
  const std::size_t end = text.find("\r\n\r\n");
  heard_ = {.head = text.substr(0, end + 2), .body = text.substr(end + 4)};
  const std::string answer = "HTTP/1.1 " + status_ +
                             "\r\nConnection: close\r\nContent-Length: " + std::to_string(body_.size()) +
                             "\r\n\r\n" + body_;
  static_cast<void>(::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL));
}

}  // namespace flowtally::test
