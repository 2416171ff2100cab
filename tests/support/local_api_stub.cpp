#include "support/local_api_stub.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.hpp"

namespace flowtally::test {
namespace {

constexpr std::chrono::seconds kDeadline{20};
constexpr const char* kPath = "/localapi/v0/";

base::UniqueFd event() { return base::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

void signal(const base::UniqueFd& fd) {
  const std::uint64_t one = 1;
  static_cast<void>(::write(fd.get(), &one, sizeof(one)));
}

/// False once the client has gone.
bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool send_chunk(int fd, std::string_view bytes) {
  return bytes.empty() || send_all(fd, fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes));
}

/// Up to the empty line; empty where the client went first.
std::string read_head(int fd) {
  std::string head;
  char byte = 0;
  while (!head.ends_with("\r\n\r\n")) {
    if (::recv(fd, &byte, 1, 0) != 1 || head.size() > 65536) return {};
    head += byte;
  }
  return head;
}

/// "status" of "GET /localapi/v0/status?peers=false HTTP/1.1".
std::string name_of(std::string_view head) {
  std::size_t begin = head.find(kPath);
  if (begin == std::string_view::npos) return {};
  begin += std::strlen(kPath);
  return std::string(head.substr(begin, head.find_first_of("? ", begin) - begin));
}

/// Waits until one of them is readable or has been hung up.
void wait_readable(int left, int right) {
  pollfd fds[] = {{.fd = left, .events = POLLIN | POLLRDHUP, .revents = 0},
                  {.fd = right, .events = POLLIN, .revents = 0}};
  static_cast<void>(::poll(fds, 2, -1));
}

}  // namespace

LocalApiStub::LocalApiStub() : release_fd_(event()) {
  std::string name = std::filesystem::temp_directory_path() / "flowtally-stub-XXXXXX";
  FLOWTALLY_CHECK(::mkdtemp(name.data()) != nullptr);
  folder_ = name;
  socket_ = folder_ + "/tailscaled.sock";
  appear();
}

LocalApiStub::~LocalApiStub() {
  stop(true);
  std::filesystem::remove_all(folder_);
}

void LocalApiStub::appear() {
  ::unlink(socket_.c_str());
  stop_fd_ = event();
  listener_ = base::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  FLOWTALLY_CHECK(socket_.size() < sizeof(address.sun_path));
  std::memcpy(address.sun_path, socket_.c_str(), socket_.size() + 1);
  FLOWTALLY_CHECK(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  FLOWTALLY_CHECK(::listen(listener_.get(), 16) == 0);
  acceptor_ = std::thread([this] { accept_all(); });
}

void LocalApiStub::disappear() { stop(true); }
void LocalApiStub::abandon() { stop(false); }

void LocalApiStub::stop(bool remove) {
  if (!acceptor_.joinable()) return;
  if (remove) ::unlink(socket_.c_str());
  signal(stop_fd_);
  acceptor_.join();
  listener_.reset();
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    threads = std::exchange(threads_, {});
  }
  for (std::thread& thread : threads) thread.join();
}

void LocalApiStub::accept_all() {
  while (true) {
    wait_readable(listener_.get(), stop_fd_.get());
    pollfd stopping{.fd = stop_fd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&stopping, 1, 0) == 1) return;
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const std::lock_guard lock(mutex_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

void LocalApiStub::serve(int fd) {
  if (const std::string head = read_head(fd); !head.empty()) {
    const std::string name = name_of(head);
    StubReply reply{.status = 404, .body = "404 page not found\n", .chunked = false};
    const bool bus = name == "watch-ipn-bus";
    {
      const std::lock_guard lock(mutex_);
      if (const auto known = replies_.find(name); known != replies_.end()) reply = known->second;
      if (!bus || reply.status != 200) {
        questions_[name].push_back(head);
        asked_.notify_all();
      }
    }
    if (bus && reply.status == 200) {
      {
        const std::lock_guard lock(mutex_);
        // Before anybody is told of the question, so that what is sent then arrives.
        if (send_all(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")) bus_.push_back(fd);
        questions_[name].push_back(head);
        asked_.notify_all();
      }
      stay_on_bus(fd, reply);
    } else {
      answer(fd, reply);
    }
  }
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  std::erase(bus_, fd);
  ::close(fd);
}

void LocalApiStub::stay_on_bus(int fd, const StubReply& reply) {
  static_cast<void>(send_chunk(fd, reply.body));
  wait_readable(fd, stop_fd_.get());
}

void LocalApiStub::answer(int fd, const StubReply& reply) {
  const std::size_t whole = reply.body.size() * reply.times;
  std::string head = fmt::format("HTTP/1.1 {} Whatever\r\nContent-Type: application/json\r\n", reply.status);
  head +=
      reply.chunked ? "Transfer-Encoding: chunked\r\n\r\n" : fmt::format("Content-Length: {}\r\n\r\n", whole);
  if (!send_all(fd, head)) return;
  const auto send_body = [&](std::string_view bytes) {
    return reply.chunked ? send_chunk(fd, bytes) : send_all(fd, bytes);
  };
  if (reply.cut_after) {
    static_cast<void>(send_body(std::string_view(reply.body).substr(0, *reply.cut_after)));
    return;
  }
  const std::size_t half = reply.held ? reply.body.size() / 2 : 0;
  if (reply.held) {
    if (!send_body(std::string_view(reply.body).substr(0, half))) return;
    wait_readable(fd, release_fd_.get());
  }
  if (!send_body(std::string_view(reply.body).substr(half))) return;
  for (std::size_t again = 1; again < reply.times; ++again) {
    if (!send_body(reply.body)) return;
  }
  if (reply.chunked) static_cast<void>(send_all(fd, "0\r\n\r\n"));
}

void LocalApiStub::reply(const std::string& name, StubReply reply) {
  const std::lock_guard lock(mutex_);
  replies_[name] = std::move(reply);
}

void LocalApiStub::release() { signal(release_fd_); }

void LocalApiStub::send_bus(std::string_view line) {
  const std::lock_guard lock(mutex_);
  for (const int fd : bus_) static_cast<void>(send_chunk(fd, std::string(line) + "\n"));
}

void LocalApiStub::end_bus() {
  const std::lock_guard lock(mutex_);
  for (const int fd : bus_) {
    static_cast<void>(send_all(fd, "0\r\n\r\n"));
    ::shutdown(fd, SHUT_RDWR);
  }
}

std::vector<std::string> LocalApiStub::questions(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = questions_.find(name);
  return found == questions_.end() ? std::vector<std::string>() : found->second;
}

bool LocalApiStub::wait_for(const std::string& name, std::size_t count) {
  std::unique_lock lock(mutex_);
  return asked_.wait_for(lock, kDeadline, [&] { return questions_[name].size() >= count; });
}

}  // namespace flowtally::test
