#include "support/http_receiver.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

namespace flowtally::test {
namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// The value of a header; empty where it is not there.
std::string header(const std::string& headers, const std::string& name) {
  const std::string all = lower(headers);
  const std::size_t at = all.find("\n" + name + ":");
  if (at == std::string::npos) return {};
  const std::size_t from = all.find_first_not_of(' ', at + name.size() + 2);
  return all.substr(from, all.find('\r', from) - from);
}

std::string gunzip(const std::string& body) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) std::abort();
  std::string out;
  std::array<char, 65536> piece{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  for (int result = Z_OK; result == Z_OK;) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(piece.data(), piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  return out;
}

bool write_all(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = ::send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (written <= 0) return false;
    at += static_cast<std::size_t>(written);
  }
  return true;
}

}  // namespace

HttpReceiver::HttpReceiver(Handler handler) : handler_(std::move(handler)) { listen(); }

HttpReceiver::~HttpReceiver() { go_down(); }

void HttpReceiver::listen() {
  listening_ = base::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::setsockopt(listening_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      ::bind(listening_.get(), any, size) != 0 || ::listen(listening_.get(), 64) != 0 ||
      ::getsockname(listening_.get(), any, &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  down_ = false;
  acceptor_ = std::jthread([this] { accept_all(); });
}

void HttpReceiver::go_down() {
  if (down_.exchange(true)) return;
  ::shutdown(listening_.get(), SHUT_RDWR);
  acceptor_ = {};
  listening_ = {};
  {
    const std::scoped_lock lock(mutex_);
    for (const int fd : connections_) ::shutdown(fd, SHUT_RDWR);
  }
  threads_.clear();
}

void HttpReceiver::come_up() {
  if (down_) listen();
}

void HttpReceiver::accept_all() {
  for (;;) {
    const int fd = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::scoped_lock lock(mutex_);
    connections_.push_back(fd);
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

/// False: the client has gone.
bool HttpReceiver::read_request(int fd, std::string& kept, HttpHeard& heard) const {
  std::array<char, 65536> piece{};
  const auto more = [&] {
    const ssize_t bytes = ::recv(fd, piece.data(), piece.size(), 0);
    if (bytes > 0) kept.append(piece.data(), static_cast<std::size_t>(bytes));
    return bytes > 0;
  };
  std::size_t end = 0;
  while ((end = kept.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return false;
  }
  const std::size_t line = kept.find("\r\n");
  const std::string first = kept.substr(0, line);
  heard.method = first.substr(0, first.find(' '));
  heard.target = first.substr(heard.method.size() + 1, first.rfind(' ') - heard.method.size() - 1);
  heard.headers = kept.substr(line, end + 2 - line);
  const std::string length = header(heard.headers, "content-length");
  const std::size_t size = length.empty() ? 0 : std::stoul(length);
  while (kept.size() < end + 4 + size) {
    if (!more()) return false;
  }
  heard.body = kept.substr(end + 4, size);
  kept.erase(0, end + 4 + size);
  if (header(heard.headers, "content-encoding") == "gzip") heard.body = gunzip(heard.body);
  return true;
}

void HttpReceiver::serve(int fd) {
  std::string kept;
  HttpHeard heard;
  while (!down_ && read_request(fd, kept, heard)) {
    HttpSaid said;
    {
      const std::scoped_lock lock(calling_);
      said = handler_(heard);
    }
    if (said.fault == HttpSaid::Fault::kHang) {
      char byte = 0;
      while (!down_ && ::recv(fd, &byte, 1, 0) > 0) continue;
      break;
    }
    if (said.fault == HttpSaid::Fault::kSilence) break;
    if (said.fault == HttpSaid::Fault::kReset) {
      const linger now{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
      break;
    }
    std::string answer = "HTTP/1.1 " + std::to_string(said.status) + " X\r\n" + said.headers +
                         "Content-Length: " + std::to_string(said.body.size()) + "\r\n\r\n" + said.body;
    if (said.fault == HttpSaid::Fault::kHalfAnswer) {
      answer.resize(answer.size() - (said.body.size() + 1) / 2);
      static_cast<void>(write_all(fd, answer));
      break;
    }
    if (!write_all(fd, answer)) break;
  }
  const std::scoped_lock lock(mutex_);
  connections_.remove(fd);
  ::close(fd);
}

}  // namespace flowtally::test
